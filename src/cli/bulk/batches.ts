import type { ReadRow } from './license-item.ts';

/** Rows that are sent together: created all or none. */
export interface RowBatch {
  /** From 0. */
  readonly number: number;
  readonly rows: readonly ReadRow[];
}

/** Licences of one request, as the appliance limits them. */
const BATCH_ROWS = 1000;
/** A request has at most 1 MB; the rest is for what stands around the licences. */
const BATCH_BYTES = 900_000;

/**
 * Cuts rows into batches, by number and size alone: the same file gives the same batches, whenever and wherever it is read.
 */
export async function* batchesOf(rows: AsyncIterable<ReadRow>): AsyncGenerator<RowBatch> {
  let number = 0;
  let batch: ReadRow[] = [];
  let bytes = 0;
  for await (const row of rows) {
    const size = row.item === null ? 0 : Buffer.byteLength(JSON.stringify(row.item)) + 1;
    if (batch.length === BATCH_ROWS || (batch.length > 0 && bytes + size > BATCH_BYTES)) {
      yield { number, rows: batch };
      number += 1;
      batch = [];
      bytes = 0;
    }
    batch.push(row);
    bytes += size;
  }
  if (batch.length > 0) yield { number, rows: batch };
}
