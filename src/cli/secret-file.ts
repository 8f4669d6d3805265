import { accessSync, closeSync, constants, existsSync, openSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { CliError, EXIT } from './exit-code.ts';

/**
 * Refuses a place that cannot take a new file, before anything is made: a secret that is shown once would be lost.
 * @throws CliError when the file exists, or its directory is missing or not writable
 */
export function demandPlaceFor(path: string): void {
  if (existsSync(path)) throw occupied(path);
  try {
    accessSync(dirname(path), constants.W_OK | constants.X_OK);
  } catch {
    throw new CliError(
      EXIT.usage,
      `${path} cannot be made: ${dirname(path)} is missing or you may not write to it`,
      'Name a file in a directory that you may write to.',
    );
  }
}

/**
 * Writes a secret to a file that did not exist, readable by its owner alone.
 * @throws CliError when the file exists: a secret never replaces another.
 */
export function writeSecretFile(path: string, secret: string): void {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'wx', 0o600);
  } catch {
    throw occupied(path);
  }
  try {
    writeSync(descriptor, `${secret}\n`);
  } finally {
    closeSync(descriptor);
  }
}

function occupied(path: string): CliError {
  return new CliError(
    EXIT.usage,
    `${path} exists already or cannot be made`,
    'Name a file that does not exist yet.',
  );
}
