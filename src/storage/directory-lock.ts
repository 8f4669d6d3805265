import { chmodSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import BetterSqlite3 from 'better-sqlite3';
import { Fault } from '../faults.ts';
import type { DataPaths } from './data-paths.ts';

/**
 * The operating system's lock on a data directory. Node has no flock; SQLite's EXCLUSIVE lock on a file of its own is
 * one, and the kernel releases it whatever ends the process.
 */
export class DirectoryLock {
  readonly #db: BetterSqlite3.Database;
  readonly #owner: string;

  /** @throws Fault DATA_DIRECTORY_IN_USE, naming the process that has it when that can be known. */
  constructor(paths: DataPaths) {
    this.#owner = paths.lockOwner;
    this.#db = new BetterSqlite3(paths.lock, { timeout: 0 });
    try {
      this.#db.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      this.#db.close();
      throw isBusy(error) ? inUse(paths) : error;
    }
    chmodSync(paths.lock, 0o600);
    writeFileSync(this.#owner, `${String(process.pid)}\n`, { mode: 0o600 });
  }

  /** Lets the next process in. */
  release(): void {
    if (!this.#db.open) return;
    rmSync(this.#owner, { force: true });
    this.#db.exec('ROLLBACK');
    this.#db.close();
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^SQLITE_(BUSY|LOCKED)/.test(String(error.code));
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
