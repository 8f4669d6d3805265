import { accessSync, constants, existsSync, mkdirSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Fault } from '../faults.ts';

const OWNER_DIRECTORY = 0o700;

/**
 * Refuses a place that cannot take a new backup, before the work begins: nothing is ever written over. The directory of
 * the configuration is made when it is not there; any other that is not there is a typing mistake.
 * @param path absolute
 * @throws Fault FILE_EXISTS when there is such a file; VALIDATION_FAILED when its directory is missing or not writable
 */
export function demandPlaceForBackup(path: string, ownDirectory: string): void {
  const directory = dirname(path);
  try {
    if (directory === resolve(ownDirectory)) mkdirSync(directory, { recursive: true, mode: OWNER_DIRECTORY });
    accessSync(directory, constants.W_OK | constants.X_OK);
  } catch (cause) {
    const message = `${directory} is missing, or the appliance may not write into it; make it, or name another directory`;
    throw new Fault('VALIDATION_FAILED', message, {
      cause,
      errors: [{ path: 'path', code: 'PATH', message }],
    });
  }
  if (existsSync(path)) throw new Fault('FILE_EXISTS', `${path} exists already`);
}
