import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Why a small disk cannot be had here; undefined: it can. Mounting takes root. */
export function noSmallDisk(): string | undefined {
  if (process.platform !== 'linux') return 'needs tmpfs';
  if (process.getuid?.() !== 0) return 'needs root, to mount a small tmpfs';
  try {
    using disk = smallDisk('1m');
    return disk.path === '' ? 'no disk' : undefined;
  } catch {
    return 'needs the right to mount a tmpfs';
  }
}

/** A disk of its own. */
export interface SmallDisk {
  readonly path: string;
  /** Writes until there is no room for one byte more. */
  fill(): void;
  /** Removes what `fill` wrote. */
  makeRoom(): void;
  [Symbol.dispose](): void;
}

const CHUNK = Buffer.alloc(64 * 1024);

/** Mounts a tmpfs; unmounted when the scope ends, whatever happened in it. */
export function smallDisk(size: string): SmallDisk {
  const path = mkdtempSync(join(tmpdir(), 'mintmark-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0700`, 'tmpfs', path], { stdio: 'pipe' });
  const filler = join(path, 'filler');
  return {
    path,
    fill: () => {
      fillUp(filler);
    },
    makeRoom: () => {
      rmSync(filler, { force: true });
    },
    [Symbol.dispose]: () => {
      // Lazily: a daemon that a failed test left behind must not keep the mount.
      execFileSync('umount', ['-l', path], { stdio: 'pipe' });
      rmdirSync(path);
    },
  };
}

/** Smaller and smaller pieces, until not even one byte finds room. */
function fillUp(path: string): void {
  const file = openSync(path, 'a');
  try {
    for (let length = CHUNK.length; length >= 1;) {
      if (!wrote(file, length)) length = Math.floor(length / 2);
    }
  } finally {
    closeSync(file);
  }
}

function wrote(file: number, length: number): boolean {
  try {
    return writeSync(file, CHUNK, 0, length) > 0;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') return false;
    throw error;
  }
}
