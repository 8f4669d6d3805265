import { chmodSync } from 'node:fs';
import BetterSqlite3 from 'better-sqlite3';

/**
 * A lock between processes, in a file of its own that stays empty (0600) and stays behind: removing it would let two have
 * it. Node has no flock; SQLite's EXCLUSIVE lock is one, and the kernel releases it whatever ends the process.
 */
export class FileLock {
  readonly #db: BetterSqlite3.Database;

  private constructor(db: BetterSqlite3.Database) {
    this.#db = db;
  }

  /**
   * Takes the lock; undefined: somebody else has it.
   * @throws Error of SQLite when the file cannot be made, or is something else
   */
  static take(path: string): FileLock | undefined {
    const db = new BetterSqlite3(path, { timeout: 0 });
    try {
      db.exec('BEGIN EXCLUSIVE');
      chmodSync(path, 0o600);
      return new FileLock(db);
    } catch (error) {
      db.close();
      if (isBusy(error)) return undefined;
      throw error;
    }
  }

  /** False: it was released. */
  get held(): boolean {
    return this.#db.open;
  }

  /** Lets others in. */
  release(): void {
    if (!this.#db.open) return;
    this.#db.exec('ROLLBACK');
    this.#db.close();
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^SQLITE_(BUSY|LOCKED)/.test(String(error.code));
}
