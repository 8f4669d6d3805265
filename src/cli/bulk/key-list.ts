import { stringify } from 'csv-stringify/sync';
import type { AppendFile } from './append-file.ts';
import type { CreatedBatch, GoodRow } from './license-batch-request.ts';

/** First line of a file of new keys. */
export const KEYS_HEADER = 'row,id,key\n';

/** Where newly made licence keys go: a file of its owner's alone, or the terminal; never a pipe. */
export class KeyList {
  readonly #file: AppendFile | null;

  /** @param file null: standard output, which is a terminal then */
  constructor(file: AppendFile | null) {
    this.#file = file;
  }

  /** Writes the keys that the appliance made; those that came with the file are in the file. */
  add(rows: readonly GoodRow[], { licenses }: CreatedBatch): void {
    // Fewer: some were deleted since an earlier request created them, and rows cannot be told by their place.
    const inOrder = licenses.length === rows.length;
    const made = licenses.flatMap(({ id, key }, i) => {
      const row = inOrder ? rows[i] : undefined;
      return row !== undefined && hasKey(row) ? [] : [[row?.number ?? '', id, key ?? '']];
    });
    const text = stringify(made);
    if (this.#file === null) process.stdout.write(text);
    else this.#file.write(text);
  }
}

/** Whether a row brings a key of its own. */
export function hasKey({ item }: GoodRow): boolean {
  return typeof item['key'] === 'string';
}
