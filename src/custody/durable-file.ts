import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Fault } from '../faults.ts';

/** Slots and key files are a few hundred bytes; anything of this size is something else. */
const MAX_FILE_BYTES = 64 * 1024;
const OWNER_ONLY = 0o600;
const OWNER_DIRECTORY = 0o700;

/**
 * Writes a file of mode 0600 so that after a power cut either the old one or the whole new one is there: write beside,
 * fsync, rename, fsync the directory. When this returns, the file is on disk.
 * @param options.replace false refuses when the file exists
 * @throws Fault KEY_STORAGE, DISK_FULL
 */
export function writeDurably(path: string, bytes: Buffer, options: { readonly replace: boolean }): void {
  const directory = dirname(path);
  mkdirSync(directory, { recursive: true, mode: OWNER_DIRECTORY });
  if (!options.replace && exists(path)) {
    throw new Fault('KEY_STORAGE', `${basename(path)} exists already; it is never overwritten`);
  }
  const beside = join(directory, `.${basename(path)}.new`);
  try {
    writeWhole(beside, bytes);
    renameSync(beside, path);
  } catch (error) {
    removeIfThere(beside);
    throw codeOf(error) === 'ENOSPC' ? diskFull(error) : error;
  }
  syncDirectory(directory);
}

/** Removes a file so that it stays removed after a power cut. */
export function removeDurably(path: string): void {
  unlinkSync(path);
  syncDirectory(dirname(path));
}

/**
 * Reads a small file; undefined when it is not there.
 * @throws Fault KEY_STORAGE when it is too large or cannot be read
 */
export function readSmallFile(path: string): Buffer | undefined {
  try {
    if (statSync(path).size > MAX_FILE_BYTES) {
      throw new Fault('KEY_STORAGE', `${basename(path)} is too large to be what it is named`);
    }
    return readFileSync(path);
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    if (isMissing(cause)) return undefined;
    throw new Fault('KEY_STORAGE', `${basename(path)} cannot be read; check its owner and mode`, { cause });
  }
}

function writeWhole(path: string, bytes: Buffer): void {
  // One left by a crash may have another mode: it is removed, never written into.
  removeIfThere(path);
  const file = openSync(path, 'wx', OWNER_ONLY);
  try {
    writeFileSync(file, bytes);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

function exists(path: string): boolean {
  try {
    statSync(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}

function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT';
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

function diskFull(cause: unknown): Fault {
  return new Fault('DISK_FULL', 'the disk of the appliance is full; no key file was written', { cause });
}
