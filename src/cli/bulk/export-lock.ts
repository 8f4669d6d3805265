import { closeSync, constants, fstatSync, openSync, rmSync, statSync } from 'node:fs';
import { FileLock } from '../../storage/file-lock.ts';
import { CliError, EXIT } from '../exit-code.ts';

/** Keeps every other export out of the same files. */
export interface ExportLock {
  /** Lets others in; the file of the lock is gone. */
  release(): void;
}

/**
 * Locks the files of an export: two would write into each other's partial file. A kill ends the lock with its process, and
 * leaves an empty file that the next one removes.
 * @throws CliError when another process has it, or it cannot be made
 */
export function lockExport(output: string): ExportLock {
  const path = `${output}.export-state.lock`;
  const held = opened(path);
  const lock = taken(path, held);
  // Whoever had it may have removed it since we opened it: then others lock a new one.
  if (lock === undefined || statSync(path, { throwIfNoEntry: false })?.ino !== fstatSync(held).ino) {
    lock?.release();
    closeSync(held);
    throw new CliError(
      EXIT.refused,
      `another export is writing ${output} right now`,
      `Wait until it has ended (fuser ${path} names its process); then resume.`,
    );
  }
  return {
    release: () => {
      rmSync(path, { force: true });
      lock.release();
      // Only now: closing any descriptor of a file ends the locks that its process has on it.
      closeSync(held);
    },
  };
}

/** As long as it is open no other file has its inode number. */
function opened(path: string): number {
  try {
    return openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
  } catch {
    throw unusable(path);
  }
}

function taken(path: string, held: number): FileLock | undefined {
  try {
    return FileLock.take(path);
  } catch {
    closeSync(held);
    throw unusable(path);
  }
}

function unusable(path: string): CliError {
  return new CliError(
    EXIT.usage,
    `${path} cannot be made, or is no lock of an export`,
    'Name a file in a directory that you may write to.',
  );
}
