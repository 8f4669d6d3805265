import { closeSync, fsyncSync, openSync, rmSync, statSync } from 'node:fs';
import type { EpochMs } from '../lib/clock.ts';
import type { DataPaths } from '../storage/data-paths.ts';

const OWNER_ONLY = 0o600;

/**
 * Since when somebody keeps the appliance sealed; undefined: nobody does. An empty file: it can be made on a full disk, and is
 * in no backup, because a restore is done by hand.
 */
export function sealedByHandSince({ sealed }: DataPaths): EpochMs | undefined {
  return statSync(sealed, { throwIfNoEntry: false })?.mtimeMs;
}

/** Keeps the appliance sealed through every restart; on disk when this returns. */
export function markSealed({ root, sealed }: DataPaths): void {
  closeSync(openSync(sealed, 'a', OWNER_ONLY));
  syncDirectory(root);
}

/** Lets the next start open the keys by itself again. */
export function unmarkSealed({ root, sealed }: DataPaths): void {
  rmSync(sealed, { force: true });
  syncDirectory(root);
}

function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
