import type { Compilable, OperationNode } from 'kysely';
import type { EpochMs } from '../lib/clock.ts';
import { invariant } from '../lib/invariant.ts';
import type { Changes, Database } from './database.ts';
import type { Authority, EntryDraft } from './entry.ts';
import { KeptRows } from './kept-rows.ts';
import type { RealmId } from './realm-scope.ts';
import type { QueryBuilder, Statement } from './statement.ts';

type Built = Compilable & { toOperationNode(): OperationNode };
type RowOf<Q> = Q extends Compilable<infer Row> ? Row : never;
type Build<Q> = (db: QueryBuilder, p: { realm: RealmId }) => Q;

/** A unit of work is synchronous: its type refuses a callback that returns a promise. */
export type Synchronous<T> = T extends PromiseLike<unknown> ? never : T;

/** Reads one realm's rows; every statement is bound to that realm. */
export interface RealmReader {
  get<P, Row>(statement: Statement<P, Row>, parameters: P): Row | undefined;
  all<P, Row>(statement: Statement<P, Row>, parameters: P): Row[];
  /** A SELECT whose text depends on the request (filters, sorting). */
  find<Q extends Built>(build: Build<Q>): RowOf<Q>[];
}

/** Reads what is committed: appliance and directory tables directly, a realm's rows through `in`. */
export interface Reader {
  in(realm: RealmId): RealmReader;
  get<P, Row>(statement: Statement<P, Row>, parameters: P): Row | undefined;
  all<P, Row>(statement: Statement<P, Row>, parameters: P): Row[];
}

/** Writes one realm's rows too. */
export interface RealmTx extends RealmReader {
  run<P>(statement: Statement<P, unknown>, parameters: P): Changes;
}

/** One open unit of work. Dead once its callback has returned. */
export interface Tx extends Reader {
  /** Trusted time, the same for the whole unit. */
  readonly now: EpochMs;
  readonly authority: Authority;
  in(realm: RealmId): RealmTx;
  run<P>(statement: Statement<P, unknown>, parameters: P): Changes;
  /** Adds an entry to the ledger; it gets its index when the callback has returned. Use `ledger/append.ts`. */
  record(draft: EntryDraft): void;
  /** Memory (caches, heads, wake-ups) changes here only: the unit may still be thrown away. Must not throw. */
  afterCommit(change: () => void): void;
}

/** Who and when of one unit; `mayRecord` is false for bookkeeping. */
export interface TxGiven {
  readonly now: EpochMs;
  readonly authority: Authority;
  readonly mayRecord: boolean;
}

/** What a unit may still do: everything, write its entries, or nothing. */
type Stage = 'open' | 'closing' | 'ended';

/** The unit of work's own view of a `Tx`: it ends it and takes what it left. Nothing else constructs one. */
export class OpenTx implements Tx {
  readonly now: EpochMs;
  readonly authority: Authority;
  readonly changes: (() => void)[] = [];
  /** By how much the rows that are kept of each realm have grown; null: by nothing. */
  kept: KeptRows | null = null;
  readonly #database: Database;
  readonly #mayRecord: boolean;
  readonly #drafts: EntryDraft[] = [];
  #recordedChange = false;
  #stage: Stage = 'open';

  constructor(database: Database, given: TxGiven) {
    this.#database = database;
    this.now = given.now;
    this.authority = given.authority;
    this.#mayRecord = given.mayRecord;
  }

  in(realm: RealmId): RealmTx {
    const own = this.authority.realm;
    invariant(own === null || own === realm, 'a unit in the name of a realm touches that realm only');
    return {
      get: (statement, parameters) => this.#alive().get(statement, parameters, realm),
      all: (statement, parameters) => this.#alive().all(statement, parameters, realm),
      find: (build) => this.#alive().find(build, realm),
      run: (statement, parameters) => this.#write(statement, parameters, realm),
    };
  }

  get<P, Row>(statement: Statement<P, Row>, parameters: P): Row | undefined {
    return this.#alive().get(statement, parameters, null);
  }

  all<P, Row>(statement: Statement<P, Row>, parameters: P): Row[] {
    return this.#alive().all(statement, parameters, null);
  }

  run<P>(statement: Statement<P, unknown>, parameters: P): Changes {
    return this.#write(statement, parameters, null);
  }

  record(draft: EntryDraft): void {
    invariant(
      this.#stage === 'open' && this.#mayRecord,
      'an entry is recorded inside a unit that may record',
    );
    this.#drafts.push(draft);
  }

  afterCommit(change: () => void): void {
    invariant(this.#stage !== 'ended', 'what follows the commit is named inside the unit');
    this.changes.push(change);
  }

  /**
   * Ends what the callback may do and hands over its entries; the journal still writes through this Tx.
   * @throws InvariantViolation when a recorded table changed and nothing says so in the ledger.
   */
  close(): readonly EntryDraft[] {
    invariant(
      !this.#recordedChange || this.#drafts.length > 0,
      'a recorded table changed without a ledger entry',
    );
    this.#stage = 'closing';
    for (const { realm } of this.#drafts) if (realm !== null) this.#keep(realm, 1);
    return this.#drafts;
  }

  /** The unit is over, for good or ill: a Tx that somebody kept does nothing any more. */
  end(): void {
    this.#stage = 'ended';
  }

  /**
   * The connection, as long as the unit's transaction lives. A unit that caught the error of a full disk and goes on
   * would write outside of any transaction otherwise, and be refused and stored at once.
   */
  #alive(): Database {
    invariant(this.#stage !== 'ended' && this.#database.inTransaction, 'the unit of work is over');
    return this.#database;
  }

  #keep(realm: RealmId, rows: number): void {
    this.kept ??= new KeptRows();
    this.kept.add(realm, rows);
  }

  #write<P>(statement: Statement<P, unknown>, parameters: P, realm: RealmId | null): Changes {
    const recorded = statement.facts.writes === 'recorded';
    invariant(
      !recorded || (this.#mayRecord && this.#stage === 'open'),
      'recorded tables are written by work.run only',
    );
    const changed = this.#alive().run(statement, parameters, realm);
    if (recorded && changed.changes > 0) this.#recordedChange = true;
    const { adds } = statement.facts;
    if (adds !== 0 && realm !== null) this.#keep(realm, adds * changed.changes);
    return changed;
  }
}

/** Reads committed rows of a connection. */
export function readerOf(database: Database): Reader {
  return {
    in: (realm) => ({
      get: (statement, parameters) => database.get(statement, parameters, realm),
      all: (statement, parameters) => database.all(statement, parameters, realm),
      find: (build) => database.find(build, realm),
    }),
    get: (statement, parameters) => database.get(statement, parameters, null),
    all: (statement, parameters) => database.all(statement, parameters, null),
  };
}
