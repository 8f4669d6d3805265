import BetterSqlite3 from 'better-sqlite3';
import { Fault } from '../faults.ts';
import { invariant, present } from '../lib/invariant.ts';
import { asError } from './disk-errors.ts';
import type { RealmId } from './realm-scope.ts';
import { dynamicStatement, type QueryBuilder, type SqlValue, type Statement } from './statement.ts';
import type { TableName } from './tables.ts';
import type { Compilable, OperationNode } from 'kysely';

/** Below this SQLite can corrupt a database in WAL mode when a checkpoint meets a writer (fixed in 3.51.3). */
const OLDEST_SQLITE = [3, 51, 3] as const;
/** Statements whose text depends on the request; bounded, since a caller chooses filters. */
const DYNAMIC_STATEMENTS = 256;
const LOG_BYTES = 16 * 1024 * 1024;
const PAGE_CACHE_KIB = 32 * 1024;

/** What a write changed. */
export interface Changes {
  readonly changes: number;
}

/** Named values for a statement's parameters. */
export type Parameters<P> = P extends object ? P : never;

/** The answer of a checkpoint: whether a reader stood in the way, pages in the log, pages copied back. */
interface Checkpointed {
  readonly busy: number;
  readonly log: number;
  readonly checkpointed: number;
}

type Native = BetterSqlite3.Statement<SqlValue[]>;
type Built = Compilable & { toOperationNode(): OperationNode };
type RowOf<Q> = Q extends Compilable<infer Row> ? Row : never;

/**
 * One connection to the database file, with the durable settings proven by reading them back, and the cache of prepared
 * statements. Only storage/ holds one; everything else gets a `Tx` or a `Reader`.
 */
export class Database {
  readonly #db: BetterSqlite3.Database;
  readonly #controls = new Map<string, BetterSqlite3.Statement<[]>>();
  readonly #prepared = new Map<Statement<never, unknown>, Native>();
  readonly #dynamic = new Map<string, Native>();
  readonly #checkpoints = new Map<string, BetterSqlite3.Statement<[], Checkpointed>>();
  /** How often rows of a table were written since it was opened. */
  readonly #writes = new Map<TableName, number>();
  /** Whether reads of one turn share a transaction: not in a worker, which may read for minutes in one turn. */
  readonly #sharesReads: boolean;
  #reading = false;
  #onFailure: (error: Error) => void = () => undefined;

  private constructor(db: BetterSqlite3.Database, sharesReads: boolean) {
    this.#db = db;
    this.#sharesReads = sharesReads;
  }

  /**
   * Opens the one writing connection.
   * @throws Fault DATA_DIRECTORY_INVALID when a setting that durability rests on cannot be had.
   */
  static openWriter(path: string): Database {
    const db = new BetterSqlite3(path);
    try {
      refuseOldSqlite(db);
      configure(db);
      // better-sqlite3 is built with synchronous=NORMAL for WAL: without this, a power cut loses acknowledged commits.
      demand(db, 'synchronous = FULL', { name: 'synchronous', value: 2 });
      demand(db, 'wal_autocheckpoint = 0', { name: 'wal_autocheckpoint', value: 0 });
      return new Database(db, true);
    } catch (error) {
      db.close();
      throw error;
    }
  }

  /** Opens a second connection that can only read: exports and analytics in a worker thread. */
  static openReader(path: string): Database {
    const db = new BetterSqlite3(path, { readonly: true, fileMustExist: true });
    db.pragma('query_only = ON');
    db.pragma('trusted_schema = OFF');
    return new Database(db, false);
  }

  /** The handle itself, for the parts of storage/ that speak SQL of their own (migrations, backup, lock, tests). */
  get native(): BetterSqlite3.Database {
    this.#endReading();
    return this.#db;
  }

  /** True while a transaction that writes is open; after FULL, IOERR and NOMEM SQLite has ended it by itself. */
  get inTransaction(): boolean {
    return this.#db.inTransaction && !this.#reading;
  }

  /** BEGIN, SAVEPOINT, COMMIT and their like. */
  exec(sql: string): void {
    this.#endReading();
    this.#control(sql);
  }

  #control(sql: string): void {
    const known = this.#controls.get(sql);
    if (known === undefined) {
      // Prepared once: three of them stand around every unit of work. A list of two is not one statement.
      if (sql.includes(';')) this.#db.exec(sql);
      else this.#controls.set(sql, this.#db.prepare<[]>(sql)).get(sql)?.run();
      return;
    }
    known.run();
  }

  /** The first row of a SELECT. */
  get<P, Row>(statement: Statement<P, Row>, parameters: P, realm: RealmId | null): Row | undefined {
    invariant(statement.facts.writes === 'nothing', 'get only reads');
    const values = bind(statement, parameters, realm);
    this.#beginReading();
    return this.#watched(() => this.#native(statement).get(...values)) as Row | undefined; // typed by kysely
  }

  /** All rows of a SELECT. */
  all<P, Row>(statement: Statement<P, Row>, parameters: P, realm: RealmId | null): Row[] {
    invariant(statement.facts.writes === 'nothing', 'all only reads');
    const values = bind(statement, parameters, realm);
    this.#beginReading();
    return this.#watched(() => this.#native(statement).all(...values)) as Row[]; // typed by kysely
  }

  /** Runs a write. Only a unit of work calls it, inside its transaction. */
  run<P>(statement: Statement<P, unknown>, parameters: P, realm: RealmId | null): Changes {
    const values = bind(statement, parameters, realm);
    for (const table of statement.facts.tables) this.#writes.set(table, this.writesTo(table) + 1);
    return { changes: this.#watched(() => this.#native(statement).run(...values)).changes };
  }

  /** Runs a SELECT whose text depends on the request. Checked and prepared once per distinct text. */
  find<Q extends Built>(
    build: (db: QueryBuilder, p: { realm: RealmId }) => Q,
    realm: RealmId | null,
  ): RowOf<Q>[] {
    const made = dynamicStatement(build);
    invariant(made.facts.writes === 'nothing', 'a dynamic statement only reads');
    const values = made.bind({}, realm);
    this.#beginReading();
    return this.#watched(() => this.#dynamicNative(made.sql).all(...values)) as RowOf<Q>[]; // typed by kysely
  }

  /** How often a table was named by a write since the start: what was made from its rows holds while this stays the same. */
  writesTo(table: TableName): number {
    return this.#writes.get(table) ?? 0;
  }

  /** Prepares statements ahead of use, so that a broken one stops the start and not a request. */
  prepareAll(statements: readonly Statement<never, unknown>[]): void {
    for (const statement of statements) this.#native(statement);
  }

  /** Tells of every statement that fails, before its error is thrown: whoever catches it cannot hide a failing disk. */
  watch(onFailure: (error: Error) => void): void {
    this.#onFailure = onFailure;
  }

  /** Pages committed to the log and not yet copied back into the file. */
  pendingFrames(): number {
    const { log, checkpointed } = this.#checkpointed('NOOP');
    return log - checkpointed;
  }

  /**
   * Copies committed pages back into the file; TRUNCATE empties the log too. Never waits: the busy timeout is 0.
   * @returns false when a reader stood in the way.
   * @throws SqliteError of the disk, which the built-in checkpoint would have swallowed.
   */
  checkpoint(mode: 'PASSIVE' | 'TRUNCATE'): boolean {
    return this.#checkpointed(mode).busy === 0;
  }

  close(): void {
    this.#endReading();
    this.#db.close();
  }

  /**
   * Reads of one turn of the event loop see one moment, and share one read transaction: taking and giving back the locks
   * of SQLite costs as much as a read. It ends before anything is written, and with the turn.
   */
  #beginReading(): void {
    if (this.#reading || !this.#sharesReads || this.#db.inTransaction) return;
    this.#control('BEGIN');
    this.#reading = true;
    setImmediate(() => {
      this.#endReading();
    });
  }

  #endReading(): void {
    if (!this.#reading) return;
    this.#reading = false;
    const failure = this.#attempt('END');
    if (failure === null) return;
    // Nobody waits for this: a failing disk is told of like any other.
    this.#attempt('ROLLBACK');
    this.#onFailure(failure);
  }

  /** Null: done, or there is no transaction any more, because a failing disk has ended it. */
  #attempt(sql: 'END' | 'ROLLBACK'): Error | null {
    try {
      if (this.#db.inTransaction) this.#control(sql);
      return null;
    } catch (error) {
      return asError(error);
    }
  }

  #checkpointed(mode: 'NOOP' | 'PASSIVE' | 'TRUNCATE'): Checkpointed {
    this.#endReading();
    const known = this.#checkpoints.get(mode);
    const statement = known ?? this.#db.prepare<[], Checkpointed>(`PRAGMA wal_checkpoint(${mode})`);
    this.#checkpoints.set(mode, statement);
    return present(statement.get(), 'a checkpoint answers with one row');
  }

  #watched<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof Error) this.#onFailure(error);
      throw error;
    }
  }

  #native<P, Row>(statement: Statement<P, Row>): Native {
    const key = statement as unknown as Statement<never, unknown>; // identity only
    const known = this.#prepared.get(key);
    if (known !== undefined) return known;
    const native = this.#db.prepare<SqlValue[]>(statement.sql);
    this.#prepared.set(key, native);
    return native;
  }

  #dynamicNative(sql: string): Native {
    const known = this.#dynamic.get(sql);
    if (known !== undefined) return known;
    if (this.#dynamic.size >= DYNAMIC_STATEMENTS) this.#dynamic.delete([...this.#dynamic.keys()][0] ?? '');
    const native = this.#db.prepare<SqlValue[]>(sql);
    this.#dynamic.set(sql, native);
    return native;
  }
}

function bind<P, Row>(statement: Statement<P, Row>, parameters: P, realm: RealmId | null): SqlValue[] {
  // P is an object of SQL values: declared so by every store, and SQLite refuses anything else.
  return statement.bind(parameters as Readonly<Record<string, SqlValue>>, realm);
}

function configure(db: BetterSqlite3.Database): void {
  demand(db, 'journal_mode = WAL', { name: 'journal_mode', value: 'wal' });
  demand(db, 'foreign_keys = ON', { name: 'foreign_keys', value: 1 });
  demand(db, 'trusted_schema = OFF', { name: 'trusted_schema', value: 0 });
  demand(db, 'secure_delete = ON', { name: 'secure_delete', value: 1 });
  demand(db, 'cell_size_check = ON', { name: 'cell_size_check', value: 1 });
  // Memory-mapped I/O turns a disk error into a signal that kills the process in mid-sentence.
  db.pragma('mmap_size = 0');
  db.pragma(`cache_size = -${String(PAGE_CACHE_KIB)}`);
  // A checkpoint that waits for a reader would hold the event loop.
  demand(db, 'busy_timeout = 0', { name: 'busy_timeout', value: 0 });
  // A log that once grew behind a long reader gives its space back.
  db.pragma(`journal_size_limit = ${String(LOG_BYTES)}`);
  db.pragma('temp_store = MEMORY');
}

function demand(db: BetterSqlite3.Database, pragma: string, is: { name: string; value: unknown }): void {
  db.pragma(pragma);
  const read: unknown = db.pragma(is.name, { simple: true });
  if (read === is.value) return;
  throw new Fault(
    'DATA_DIRECTORY_INVALID',
    `database setting ${is.name} reads ${String(read)}, not ${String(is.value)}`,
  );
}

function refuseOldSqlite(db: BetterSqlite3.Database): void {
  const version = versionOf(db);
  const parts = version.split('.').map(Number);
  for (const [i, oldest] of OLDEST_SQLITE.entries()) {
    const part = parts[i] ?? 0;
    if (part > oldest) return;
    if (part < oldest) {
      throw new Fault('DATA_DIRECTORY_INVALID', `sqlite ${version} is older than ${OLDEST_SQLITE.join('.')}`);
    }
  }
}

const versionOf = (db: BetterSqlite3.Database): string =>
  String(db.prepare('SELECT sqlite_version()').pluck().get());

/** The version of SQLite that this program runs on. */
export function sqliteVersion(): string {
  const db = new BetterSqlite3(':memory:');
  try {
    return versionOf(db);
  } finally {
    db.close();
  }
}
