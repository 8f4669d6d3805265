import { Fault } from '../faults.ts';
import type { EpochMs } from '../lib/clock.ts';
import type { Database } from './database.ts';
import { OpenBatch, type Outcome, type Pending } from './batch.ts';
import { asError, diskFull, isFatal, isFull } from './disk-errors.ts';
import type { Authority, Journal } from './journal.ts';
import type { TableName } from './tables.ts';
import { type Reader, readerOf, type Synchronous, type Tx } from './tx.ts';

/** Trusted time as storage needs it: read for each unit, and its high-water mark persisted with every commit. */
export interface TrustedTime {
  now(): EpochMs;
  persist(tx: Tx): void;
}

/** What the unit of work stands on. */
export interface WorkDeps<Head> {
  readonly database: Database;
  readonly journal: Journal<Head>;
  readonly time: TrustedTime;
  /** The file may be damaged or the disk lies: nobody may be answered any more, the process must end. */
  readonly onFatal: (error: Error) => void;
  /** Milliseconds that only grow; limits the length of a batch and the pace of probes. */
  readonly monotonic: () => number;
}

/** A batch holds the event loop: at most this many units, the rest waits for the next turn. */
const BATCH_UNITS = 64;
/** More waiting writers than this are turned away at once instead of waiting for seconds. */
export const QUEUE_UNITS = 8192;
/** Pages not yet copied back into the database file before a checkpoint is due: 4 MB of 4 KB pages. */
const CHECKPOINT_FRAMES = 1024;
/** With a full disk, one probe write a second finds out whether there is room again. */
const PROBE_INTERVAL_MS = 1000;
const PROBE_FILLER = Buffer.alloc(16 * 1024);

/**
 * The one writer. Units submitted in the same turn of the event loop share one transaction, each inside its own
 * savepoint; everybody is answered after the one COMMIT, those that were refused too, since their refusal may rest on a
 * unit of the same batch.
 */
export class UnitOfWork<Head = unknown> {
  readonly #deps: WorkDeps<Head>;
  #queue: Pending[] = [];
  #scheduled = false;
  #fatal = false;
  /** A failure of the disk met by a statement of the open batch. */
  #failure: Error | null = null;
  #stopped: (() => void) | null = null;
  #stopping: Promise<void> | null = null;
  #full = false;
  #lastProbe = Number.NEGATIVE_INFINITY;
  readonly read: Reader;

  constructor(deps: WorkDeps<Head>) {
    this.#deps = deps;
    this.read = readerOf(deps.database);
    deps.database.watch((error) => this.#notice(error));
  }

  /** True while the disk is full: writes are refused until a probe write succeeds. */
  get diskFull(): boolean {
    return this.#full;
  }

  /** How often a table was named by a write: memory made from its rows holds while this stays the same. */
  writesTo(table: TableName): number {
    return this.#deps.database.writesTo(table);
  }

  /** How many units wait for their batch. */
  get waiting(): number {
    return this.#queue.length;
  }

  /**
   * Runs one unit in the name of `authority`. When the promise resolves, everything the unit wrote, its ledger entries
   * included, is on disk. A business refusal is a value the unit returns: it is committed like any other.
   * @throws Fault DISK_FULL, OVERLOADED; whatever the unit throws, with the unit undone.
   */
  run<T>(authority: Authority, unit: (tx: Tx) => Synchronous<T>): Promise<T> {
    return this.#submit(authority, true, unit);
  }

  /** Bookkeeping of a named job: counters, times, caches. Has no access to recorded tables. */
  keep<T>(job: string, unit: (tx: Tx) => Synchronous<T>): Promise<T> {
    const actor = { kind: 'system', id: job, via: 'job' } as const;
    return this.#submit({ actor, requestId: job, realm: null }, false, unit);
  }

  /** Copies committed pages back into the database file; called by the schedule when there is nothing else to do. */
  checkpointWhenIdle(): void {
    if (this.#queue.length > 0 || this.#over) return;
    this.#guarded(() => {
      if (this.#deps.database.pendingFrames() > 0) this.#deps.database.checkpoint('PASSIVE');
    });
  }

  /**
   * Copies everything back and empties the log file, so that nothing erased is left in it.
   * @returns false when a reader stood in the way: try again later. It is never waited for.
   */
  emptyLog(): boolean {
    if (this.#over) return false;
    let emptied = false;
    this.#guarded(() => {
      emptied = this.#deps.database.checkpoint('TRUNCATE');
    });
    return emptied;
  }

  /** Tries whether a full disk has room again, so that writes resume without waiting for one to be refused. */
  probeDisk(): void {
    if (this.#full) this.#probe();
  }

  get #over(): boolean {
    return this.#fatal || this.#stopped !== null;
  }

  /**
   * Turns further units away, commits those that wait, and resolves when nothing will touch the database any more:
   * it may be closed then.
   */
  stop(): Promise<void> {
    if (this.#fatal) return Promise.resolve();
    this.#stopping ??= new Promise((resolve) => {
      this.#stopped = resolve;
      this.#schedule();
    });
    return this.#stopping;
  }

  #submit<T>(authority: Authority, mayRecord: boolean, unit: (tx: Tx) => Synchronous<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      // After a fatal error nobody is answered: the process ends, and the client's retry finds out what is stored.
      if (this.#fatal) return;
      if (this.#stopped !== null) {
        reject(new Fault('OVERLOADED', 'the appliance is stopping', { retryAfterMs: 10_000 }));
        return;
      }
      if (this.#queue.length >= QUEUE_UNITS) {
        reject(new Fault('OVERLOADED', 'too many writes are waiting', { retryAfterMs: 1000 }));
        return;
      }
      const settle = (outcome: Outcome): void => {
        if (outcome.ok)
          resolve(outcome.value as T); // the value this very unit returned
        else reject(outcome.error); // whatever the unit threw, handed on unchanged
      };
      this.#queue.push({ authority, mayRecord, unit, settle });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#isDead()) return;
    // Everybody of the last batch has been answered by now.
    this.#checkpointWhenDue();
    const batch = this.#queue.splice(0, BATCH_UNITS);
    const answers = this.#answer(batch);
    if (this.#isDead()) return;
    // Units the batch had no time for go back to the head of the queue, in order.
    this.#queue.unshift(...batch.slice(answers.length));
    for (const [i, answer] of answers.entries()) batch[i]?.settle(answer);
    if (batch.length > 0) this.#schedule();
    else if (this.#stopped !== null) this.#finish(this.#stopped);
  }

  #answer(batch: readonly Pending[]): Outcome[] {
    if (batch.length === 0) return [];
    const room = !this.#full || this.#probe();
    return room ? this.#commit(batch) : batch.map(() => refused(diskFull()));
  }

  #checkpointWhenDue(): void {
    const { database } = this.#deps;
    this.#guarded(() => {
      if (database.pendingFrames() >= CHECKPOINT_FRAMES) database.checkpoint('PASSIVE');
    });
  }

  #finish(stopped: () => void): void {
    this.#guarded(() => this.#deps.database.checkpoint('TRUNCATE'));
    stopped();
  }

  #isDead(): boolean {
    return this.#fatal;
  }

  /**
   * 1. BEGIN. Stop here: nothing happened.
   * 2. Each unit in its savepoint. Stop here: nothing is on disk, nobody was answered.
   * 3. COMMIT returns. Stop here: everything is on disk; a client that was not answered asks again with its
   *    idempotency key and gets the same answer.
   * 4. Memory follows (heads, caches), then the callers are answered.
   */
  #commit(batch: readonly Pending[]): Outcome[] {
    const { database, journal, time, monotonic } = this.#deps;
    this.#failure = null;
    const now = time.now();
    const open = new OpenBatch({ database, journal, now, monotonic, failure: () => this.#failure });
    try {
      database.exec('BEGIN IMMEDIATE');
      open.runAll(batch);
      open.writeBeside((tx) => time.persist(tx));
      database.exec('COMMIT');
    } catch (error) {
      return this.#abandon(this.#causeOf(error), batch);
    }
    return this.#follow(open);
  }

  /** Memory follows the disk. If it cannot, it is wrong from here on, and nobody may be answered from it. */
  #follow(open: OpenBatch<Head>): Outcome[] {
    try {
      this.#deps.journal.publish(open.head);
      for (const change of open.afterCommit) change();
    } catch (error) {
      this.#die(error);
      return [];
    }
    return open.outcomes;
  }

  /** The transaction is gone, and with it every unit of the batch: all callers get the fault. */
  #abandon(error: unknown, batch: readonly Pending[]): Outcome[] {
    if (isFatal(error) || !this.#rollBack()) {
      this.#die(error);
      return [];
    }
    if (!isFull(error)) return batch.map(() => refused(error));
    this.#full = true;
    this.#lastProbe = this.#deps.monotonic();
    return batch.map(() => refused(diskFull()));
  }

  /** What the disk said first; a unit may have caught it and run into something else. */
  #causeOf(error: unknown): unknown {
    return this.#failure ?? error;
  }

  #rollBack(): boolean {
    const { database } = this.#deps;
    try {
      if (database.inTransaction) database.exec('ROLLBACK');
    } catch (error) {
      this.#failure = asError(error);
    }
    return !database.inTransaction;
  }

  /** A statement met a failing disk, in a unit or in a read: what is fatal ends the process, whoever met it. */
  #notice(error: Error): void {
    if (isFull(error)) this.#failure ??= error;
    if (!isFatal(error)) return;
    this.#failure = error;
    if (!this.#deps.database.inTransaction) this.#die(error);
  }

  #die(error: unknown): void {
    if (this.#fatal) return;
    this.#fatal = true;
    this.#queue = [];
    this.#stopped?.();
    this.#deps.onFatal(asError(error));
  }

  /** One real write of a few pages and a checkpoint; true when the disk took them. */
  #probe(): boolean {
    const now = this.#deps.monotonic();
    if (now - this.#lastProbe < PROBE_INTERVAL_MS) return false;
    this.#lastProbe = now;
    this.#full = false;
    this.#guarded(() => writeProbe(this.#deps.database));
    return !this.diskFull && !this.#isDead();
  }

  /**
   * Touches the disk outside of a batch. A full disk fails a checkpoint without harm: the pages stay in the log.
   * Anything else is the disk lying.
   */
  #guarded(touch: () => void): void {
    try {
      touch();
    } catch (error) {
      if (isFull(error) && this.#rollBack()) this.#full = true;
      else this.#die(error);
    }
  }
}

function writeProbe(database: Database): void {
  const native = database.native;
  native.exec('BEGIN IMMEDIATE');
  native.prepare('INSERT OR REPLACE INTO write_probe (id, filler) VALUES (1, ?)').run(PROBE_FILLER);
  native.exec('COMMIT');
  database.checkpoint('PASSIVE');
}

function refused(error: unknown): Outcome {
  return { ok: false, error: asError(error) };
}
