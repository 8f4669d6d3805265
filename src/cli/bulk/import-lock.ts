import { dirname } from 'node:path';
import { FileLock } from '../../storage/file-lock.ts';
import { CliError, EXIT } from '../exit-code.ts';

/**
 * Keeps every other import from going on from the same state: two would write the same files, and each go on from a state
 * that the other has left behind. A kill ends the lock with its process.
 * @throws CliError when another process has it, or it cannot be made
 */
export function lockState(statePath: string): FileLock {
  const path = `${statePath}.lock`;
  const lock = taken(path);
  if (lock !== undefined) return lock;
  throw new CliError(
    EXIT.refused,
    `another import is going on from ${statePath} right now`,
    `Wait until it has ended (fuser ${path} names its process); then resume.`,
  );
}

function taken(path: string): FileLock | undefined {
  try {
    return FileLock.take(path);
  } catch {
    throw new CliError(
      EXIT.usage,
      `${path} cannot be made, or is no lock of an import`,
      `Make ${dirname(path)} writable for you, or name another place with --state.`,
    );
  }
}
