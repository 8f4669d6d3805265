import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Fault } from '../faults.ts';
import type { DataPaths } from './data-paths.ts';
import { FileLock } from './file-lock.ts';

/** The lock on a data directory: one process at a time serves it. */
export class DirectoryLock {
  readonly #lock: FileLock;
  readonly #owner: string;

  /** @throws Fault DATA_DIRECTORY_IN_USE, naming the process that has it when that can be known. */
  constructor(paths: DataPaths) {
    const lock = FileLock.take(paths.lock);
    if (lock === undefined) throw inUse(paths);
    this.#lock = lock;
    this.#owner = paths.lockOwner;
    writeFileSync(this.#owner, `${String(process.pid)}\n`, { mode: 0o600 });
  }

  /** Lets the next process in. */
  release(): void {
    if (!this.#lock.held) return;
    rmSync(this.#owner, { force: true });
    this.#lock.release();
  }
}

function inUse(paths: DataPaths): Fault {
  const pid = ownerOf(paths.lockOwner);
  const who = pid === undefined ? 'another process' : `process ${pid}`;
  return new Fault('DATA_DIRECTORY_IN_USE', `data directory ${paths.root} is locked by ${who}`);
}

/** What the owner wrote beside its lock; only a hint, since a crash leaves an old one behind. */
function ownerOf(path: string): string | undefined {
  try {
    return /^\d{1,10}$/.exec(readFileSync(path, 'utf8').trim())?.[0];
  } catch {
    return undefined;
  }
}
