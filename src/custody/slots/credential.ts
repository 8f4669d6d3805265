import { realpathSync, statSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { Fault } from '../../faults.ts';
import type { Random } from '../../lib/random.ts';
import { Secret } from '../../lib/secret.ts';
import { readSmallFile, writeDurably } from '../durable-file.ts';
import { KEY_BYTES } from '../key-wrap.ts';

/** Where the package keeps the key of the credential slot. */
export const DEFAULT_CREDENTIAL_PATH = '/etc/mintmark/credentials/kek';
/** The credential's name below systemd's $CREDENTIALS_DIRECTORY (systemd.exec, Credentials). */
const CREDENTIAL_NAME = 'kek';
const OTHERS = 0o077;

/** Where the key of the credential slot is. */
export interface CredentialPlace {
  readonly path: string;
  /** Given by the service manager, which guards it in its own way (an access list shows as a group's right). */
  readonly byServiceManager: boolean;
}

/**
 * Where to look for the key: what the service manager hands over counts before what is configured.
 * @param given.credentialsDirectory value of $CREDENTIALS_DIRECTORY
 */
export function credentialPlace(given: {
  readonly credentialsDirectory?: string | undefined;
  readonly path?: string | undefined;
}): CredentialPlace {
  const { credentialsDirectory: directory, path = DEFAULT_CREDENTIAL_PATH } = given;
  const handed = directory === undefined ? undefined : join(directory, CREDENTIAL_NAME);
  if (handed !== undefined && isThere(handed)) return { path: handed, byServiceManager: true };
  return { path, byServiceManager: false };
}

/**
 * Reads the key of the credential slot: 32 bytes. Without a data directory it may be anywhere.
 * @throws Fault KEY_STORAGE when it is missing, not 32 bytes, open to others, or inside the data directory
 */
export function readCredential(place: CredentialPlace, dataDirectory: string | null): Secret<Buffer> {
  const { path, byServiceManager } = place;
  if (dataDirectory !== null) requireOutside(path, dataDirectory);
  const key = readSmallFile(path);
  if (key === undefined) {
    throw new Fault('KEY_STORAGE', `credential ${path} is missing; put it back, or open another slot`);
  }
  if (!byServiceManager && (statSync(path).mode & OTHERS) !== 0) {
    throw new Fault(
      'KEY_STORAGE',
      `credential ${path} can be read by others; chmod 600 it and change the slot`,
    );
  }
  if (key.length !== KEY_BYTES) {
    throw new Fault('KEY_STORAGE', `credential ${path} is not a key of ${KEY_BYTES} bytes`);
  }
  return new Secret(key);
}

/**
 * Makes the key of a credential slot: 32 random bytes in a new file of mode 0600.
 * @throws Fault KEY_STORAGE when the file exists, or would be inside the data directory and thus in every copy of it
 */
export function writeCredential(path: string, dataDirectory: string, random: Random): Secret<Buffer> {
  requireOutside(path, dataDirectory);
  const key = random.bytes(KEY_BYTES);
  writeDurably(path, key, { replace: false });
  return new Secret(key);
}

/** Whether the key would be in the data directory, and thus in every copy of it. */
export function isInside(path: string, dataDirectory: string): boolean {
  const way = relative(realPath(dataDirectory), realPath(path));
  return way !== '..' && !way.startsWith('../');
}

function requireOutside(path: string, dataDirectory: string): void {
  if (!isInside(path, dataDirectory)) return;
  throw new Fault('KEY_STORAGE', `credential ${path} is inside the data directory; keep it outside`);
}

/** Symbolic links resolved as far as the path exists. */
function realPath(path: string): string {
  const full = resolve(path);
  try {
    return realpathSync(full);
  } catch {
    return full === dirname(full) ? full : join(realPath(dirname(full)), basename(full));
  }
}

function isThere(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
