import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { Fault } from '../faults.ts';

/** Read at once. */
export const CHUNK_BYTES = 1024 * 1024;
/** Longer than any line of ours can be. */
const MAX_LINE_BYTES = 128 * 1024;
const LINE_FEED = 0x0a;

/**
 * A file read line by line with bounded memory. Synchronous: a turn of the event loop per line would cost more than
 * everything that is done with the line.
 */
export class LineFile implements Disposable {
  readonly #path: string;
  readonly #descriptor: number;
  /** Length of the file in bytes. */
  readonly total: number;
  /** Bytes of the lines given so far. */
  done = 0;

  /** @throws Fault LEDGER_INVALID when there is no such file */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#descriptor = openSync(path, 'r');
    } catch (cause) {
      throw new Fault('LEDGER_INVALID', `${path} cannot be read; is its directory an export of the ledger?`, {
        cause,
      });
    }
    this.total = fstatSync(this.#descriptor).size;
  }

  /**
   * The lines without their line feeds; what follows the last line feed is a line too, unless it is empty. A line is
   * good until the next one is asked for.
   * @throws Fault LEDGER_INVALID when a line is longer than 128 KB
   */
  *lines(): Generator<Buffer> {
    const buffer = Buffer.allocUnsafe(MAX_LINE_BYTES + CHUNK_BYTES);
    let kept = 0;
    for (;;) {
      const read = readSync(this.#descriptor, buffer, kept, CHUNK_BYTES, null);
      if (read === 0) break;
      const filled = buffer.subarray(0, kept + read);
      let start = 0;
      for (let end = filled.indexOf(LINE_FEED); end >= 0; end = filled.indexOf(LINE_FEED, start)) {
        this.done += end + 1 - start;
        yield filled.subarray(start, end);
        start = end + 1;
      }
      kept = filled.copy(buffer, 0, start);
      if (kept > MAX_LINE_BYTES)
        throw new Fault('LEDGER_INVALID', `${this.#path} has a line of more than 128 KB`);
    }
    this.done += kept;
    if (kept > 0) yield buffer.subarray(0, kept);
  }

  [Symbol.dispose](): void {
    closeSync(this.#descriptor);
  }
}
