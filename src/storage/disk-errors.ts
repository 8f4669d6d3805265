import { Fault } from '../faults.ts';

/** The disk took no more. SQLite reports a shared-memory file that could not grow as an I/O error of its own kind. */
const FULL: readonly string[] = ['SQLITE_FULL', 'SQLITE_IOERR_SHMSIZE'];
const FATAL = /^SQLITE_(IOERR|CORRUPT|NOTADB)/;

/** True when a write failed for want of space: nothing is damaged, reads go on. */
export function isFull(error: unknown): boolean {
  return FULL.includes(codeOf(error));
}

/** True when the file may be damaged, or an fsync failed and the kernel has dropped the pages: going on is guessing. */
export function isFatal(error: unknown): error is Error {
  return FATAL.test(codeOf(error)) && !isFull(error);
}

/** What a caller is told while the disk is full. */
export function diskFull(): Fault {
  return new Fault('DISK_FULL', 'the disk of the appliance is full; reads and validation go on', {
    retryAfterMs: 10_000,
  });
}

/** Whatever was thrown, as an error. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
