import BetterSqlite3 from 'better-sqlite3';
import { Database } from '../../src/storage/database.ts';

/** What shall fail: the first statement whose text matches, with this code of SQLite. */
interface Planned {
  readonly text: RegExp;
  readonly code: string;
}

/** Statements that open and end transactions; the connection prepares them too. */
const CONTROL = /^(BEGIN|SAVEPOINT|RELEASE|ROLLBACK|COMMIT)/;

/** A real connection whose edge to the disk fails on demand, with the errors SQLite would throw. */
export class DiskFaults {
  readonly database: Database;
  /** Every transaction statement that was executed, in order. */
  readonly executed: string[] = [];
  #planned: Planned | null = null;

  constructor(path: string) {
    this.database = Database.openWriter(path);
    const { native } = this.database;
    const exec = native.exec.bind(native);
    const prepare = native.prepare.bind(native);
    native.exec = (sql) => {
      this.executed.push(sql);
      this.#fail(sql);
      return exec(sql);
    };
    native.prepare = ((sql: string) => this.#wrap(sql, prepare(sql))) as typeof native.prepare; // the overloads agree
  }

  /** The next statement whose text matches fails, once. */
  failNext(text: RegExp, code: string): void {
    this.#planned = { text, code };
  }

  #wrap(sql: string, statement: BetterSqlite3.Statement): BetterSqlite3.Statement {
    for (const method of ['run', 'get', 'all'] as const) {
      const call: (...values: unknown[]) => unknown = statement[method].bind(statement);
      Object.assign(statement, {
        [method]: (...values: unknown[]) => {
          if (CONTROL.test(sql)) this.executed.push(sql);
          this.#fail(sql);
          return call(...values);
        },
      });
    }
    return statement;
  }

  #fail(sql: string): void {
    if (this.#planned?.text.test(sql) !== true) return;
    const { code } = this.#planned;
    this.#planned = null;
    throw new BetterSqlite3.SqliteError(`injected into ${sql.slice(0, 40)}`, code);
  }
}
