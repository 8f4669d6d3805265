import type { EpochMs } from '../lib/clock.ts';
import { invariant } from '../lib/invariant.ts';
import type { Database } from './database.ts';
import { asError, isFatal } from './disk-errors.ts';
import type { Authority, Journal } from './journal.ts';
import { KeptRows } from './kept-rows.ts';
import { OpenTx, type Tx } from './tx.ts';

/** A batch holds the event loop: at most this long, the rest waits for the next turn. */
const BATCH_MS = 10;
const COMMIT_AUTHORITY: Authority = {
  actor: { kind: 'system', id: 'commit', via: 'job' },
  requestId: 'commit',
  realm: null,
};

/** A unit that waits for its batch. */
export interface Pending {
  readonly authority: Authority;
  readonly mayRecord: boolean;
  readonly unit: (tx: Tx) => unknown;
  readonly settle: (outcome: Outcome) => void;
}

/** What a unit's caller is told, once the batch is on disk. */
export type Outcome =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: Error };

/** What a batch stands on. */
export interface BatchDeps<Head> {
  readonly database: Database;
  readonly journal: Journal<Head>;
  readonly now: EpochMs;
  readonly monotonic: () => number;
  /** A failure of the disk that a statement met in this batch, even when the unit caught it and went on. */
  readonly failure: () => Error | null;
}

/** The units of one open transaction, one after the other, each in its own savepoint. */
export class OpenBatch<Head> {
  readonly #deps: BatchDeps<Head>;
  head: Head;
  readonly outcomes: Outcome[] = [];
  readonly afterCommit: (() => void)[] = [];
  /** What the units that were not undone have added. */
  readonly #kept = new KeptRows();

  constructor(deps: BatchDeps<Head>) {
    this.#deps = deps;
    this.head = deps.journal.head();
  }

  /**
   * Runs the units in order until time is up; those that were run have an outcome.
   * @throws whatever has ended the transaction: the batch is over, for everybody.
   */
  runAll(batch: readonly Pending[]): void {
    const started = this.#deps.monotonic();
    for (const pending of batch) {
      this.outcomes.push(this.#runOne(pending));
      if (this.#deps.monotonic() - started > BATCH_MS) return;
    }
  }

  /** Writes what stands beside every batch, once: the clock's mark, and how many rows are kept. */
  writeBeside(write: (tx: Tx) => void): void {
    const tx = this.#tx({ authority: COMMIT_AUTHORITY, mayRecord: false });
    write(tx);
    this.#kept.writeTo(tx);
    tx.end();
  }

  #runOne(pending: Pending): Outcome {
    const { database } = this.#deps;
    invariant(this.#alive(), 'a savepoint is only ever opened inside the transaction of its batch');
    database.exec('SAVEPOINT unit');
    const tx = this.#tx(pending);
    try {
      const done = this.#runUnit(pending, tx);
      database.exec('RELEASE unit');
      this.head = done.head;
      this.afterCommit.push(...tx.changes);
      if (tx.kept !== null) this.#kept.addAll(tx.kept);
      return { ok: true, value: done.value };
    } catch (error) {
      // FULL, IOERR and NOMEM have rolled everything back already: nothing more is run.
      if (isFatal(error) || !this.#alive()) throw error;
      database.exec('ROLLBACK TO unit; RELEASE unit');
      return { ok: false, error: asError(error) };
    } finally {
      tx.end();
    }
  }

  #runUnit(pending: Pending, tx: OpenTx): { readonly value: unknown; readonly head: Head } {
    const { journal, failure } = this.#deps;
    const value = pending.unit(tx);
    const failed = failure();
    if (failed !== null) throw failed;
    invariant(this.#alive(), 'the transaction of a batch outlives its units');
    invariant(
      !isPromise(value),
      'a unit of work is synchronous: nothing may interleave with its transaction',
    );
    return { value, head: journal.append(tx, this.head, tx.close()) };
  }

  #alive(): boolean {
    return this.#deps.database.inTransaction;
  }

  #tx(given: { readonly authority: Authority; readonly mayRecord: boolean }): OpenTx {
    const { authority, mayRecord } = given;
    return new OpenTx(this.#deps.database, { now: this.#deps.now, authority, mayRecord });
  }
}

function isPromise(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
