import { Fault } from '../faults.ts';
import type { EpochMs } from '../lib/clock.ts';
import { invariant } from '../lib/invariant.ts';
import type { Database } from './database.ts';
import type { Authority, Journal } from './journal.ts';
import { OpenTx, type Reader, readerOf, type Synchronous, type Tx } from './tx.ts';

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

/** A batch holds the event loop: at most this many units … */
const BATCH_UNITS = 64;
/** … or this long, the rest waits for the next turn. */
const BATCH_MS = 10;
/** More waiting writers than this are turned away at once instead of waiting for seconds. */
const QUEUE_UNITS = 8192;
/** Pages not yet copied back into the database file before a checkpoint is due: 4 MB of 4 KB pages. */
const CHECKPOINT_FRAMES = 1024;
/** With a full disk, one probe write a second finds out whether there is room again. */
const PROBE_INTERVAL_MS = 1000;
const PROBE_FILLER = Buffer.alloc(16 * 1024);

interface Pending {
  readonly authority: Authority;
  readonly mayRecord: boolean;
  readonly unit: (tx: Tx) => unknown;
  readonly settle: (outcome: Outcome) => void;
}

type Outcome =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly error: unknown };

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
  #stopped: (() => void) | null = null;
  #full = false;
  #lastProbe = Number.NEGATIVE_INFINITY;
  readonly read: Reader;

  constructor(deps: WorkDeps<Head>) {
    this.#deps = deps;
    this.read = readerOf(deps.database);
  }

  /** True while the disk is full: writes are refused until a probe write succeeds. */
  get diskFull(): boolean {
    return this.#full;
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
    if (this.#queue.length === 0 && !this.#fatal && pendingFrames(this.#deps.database) > 0)
      this.#checkpoint();
  }

  /** Tries whether a full disk has room again, so that writes resume without waiting for one to be refused. */
  probeDisk(): void {
    if (this.#full) this.#probe();
  }

  /**
   * Turns further units away, commits those that wait, and resolves when nothing will touch the database any more:
   * it may be closed then.
   */
  stop(): Promise<void> {
    return new Promise((resolve) => {
      this.#stopped = resolve;
      this.#schedule();
    });
  }

  #submit<T>(authority: Authority, mayRecord: boolean, unit: (tx: Tx) => Synchronous<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
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
        else reject(outcome.error as Error); // whatever the unit threw, handed on unchanged
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
    if (this.#fatal) return;
    const room = !this.#full || this.#probe();
    const batch = this.#queue.splice(0, BATCH_UNITS);
    if (batch.length === 0) {
      this.#stopped?.();
      return;
    }
    const answers = room ? this.#commit(batch) : batch.map(() => refused(diskFull()));
    if (this.#fatal) return;
    for (const [i, pending] of batch.entries()) {
      const answer = answers[i];
      // A unit the batch had no time for goes back to the head of the queue, in order.
      if (answer === undefined) this.#queue.splice(i - answers.length, 0, pending);
      else pending.settle(answer);
    }
    if (this.#queue.length > 0 || this.#stopped !== null) this.#schedule();
    if (this.#stopped === null) this.#checkpointSoon();
  }

  #checkpointSoon(): void {
    setImmediate(() => {
      this.#checkpointWhenDue();
    });
  }

  /**
   * 1. BEGIN. Stop here: nothing happened.
   * 2. Each unit in its savepoint. Stop here: nothing is on disk, nobody was answered.
   * 3. COMMIT returns. Stop here: everything is on disk; a client that was not answered asks again with its
   *    idempotency key and gets the same answer.
   * 4. Memory follows (heads, caches), then the callers are answered.
   */
  #commit(batch: readonly Pending[]): Outcome[] {
    const { database, journal, time } = this.#deps;
    const open = new OpenBatch(this.#deps, journal.head());
    try {
      database.exec('BEGIN IMMEDIATE');
      open.runAll(batch);
      time.persist(open.systemTx());
      database.exec('COMMIT');
    } catch (error) {
      return this.#abandon(error, batch);
    }
    journal.publish(open.head);
    for (const change of open.afterCommit) change();
    return open.outcomes;
  }

  /** The transaction is gone, and with it every unit of the batch: all callers get the fault. */
  #abandon(error: unknown, batch: readonly Pending[]): Outcome[] {
    if (isFatal(error)) {
      this.#die(error);
      return [];
    }
    if (this.#deps.database.inTransaction) this.#deps.database.exec('ROLLBACK');
    if (!isFull(error)) return batch.map(() => refused(error));
    this.#full = true;
    this.#lastProbe = this.#deps.monotonic();
    return batch.map(() => refused(diskFull()));
  }

  #die(error: Error): void {
    this.#fatal = true;
    this.#queue = [];
    this.#deps.onFatal(error);
  }

  /** One real write of a few pages; true when the disk took it. */
  #probe(): boolean {
    if (this.#fatal) return false;
    const now = this.#deps.monotonic();
    if (now - this.#lastProbe < PROBE_INTERVAL_MS) return false;
    this.#lastProbe = now;
    try {
      writeProbe(this.#deps.database);
      this.#full = false;
    } catch (error) {
      if (isFatal(error)) this.#die(error);
      else if (this.#deps.database.inTransaction) this.#deps.database.exec('ROLLBACK');
    }
    return !this.#full;
  }

  #checkpointWhenDue(): void {
    if (this.#fatal || this.#stopped !== null || pendingFrames(this.#deps.database) < CHECKPOINT_FRAMES)
      return;
    this.#checkpoint();
  }

  #checkpoint(): void {
    try {
      this.#deps.database.native.pragma('wal_checkpoint(PASSIVE)');
    } catch (error) {
      // A full disk fails a checkpoint without harm: the pages stay in the log. Anything else is the disk lying.
      if (isFull(error)) this.#full = true;
      else this.#die(error instanceof Error ? error : new Error(String(error)));
    }
  }
}

/** The units of one transaction, one after the other. */
class OpenBatch<Head> {
  readonly #deps: WorkDeps<Head>;
  readonly #now: EpochMs;
  head: Head;
  readonly outcomes: Outcome[] = [];
  readonly afterCommit: (() => void)[] = [];

  constructor(deps: WorkDeps<Head>, head: Head) {
    this.#deps = deps;
    this.#now = deps.time.now();
    this.head = head;
  }

  runAll(batch: readonly Pending[]): void {
    const started = this.#deps.monotonic();
    for (const pending of batch) {
      this.outcomes.push(this.#runOne(pending));
      if (this.#deps.monotonic() - started > BATCH_MS) return;
    }
  }

  /** What the clock writes beside every batch. */
  systemTx(): Tx {
    const authority = {
      actor: { kind: 'system', id: 'commit', via: 'job' },
      requestId: 'commit',
      realm: null,
    } as const;
    return new OpenTx(this.#deps.database, { now: this.#now, authority, mayRecord: false });
  }

  #runOne(pending: Pending): Outcome {
    const { database } = this.#deps;
    const tx = new OpenTx(database, {
      now: this.#now,
      authority: pending.authority,
      mayRecord: pending.mayRecord,
    });
    invariant(database.inTransaction, 'a savepoint is only ever opened inside the transaction of its batch');
    database.exec('SAVEPOINT unit');
    try {
      const value = pending.unit(tx);
      const head = this.#deps.journal.append(tx, this.head, tx.close());
      database.exec('RELEASE unit');
      this.head = head;
      this.afterCommit.push(...tx.changes);
      return { ok: true, value };
    } catch (error) {
      // FULL, IOERR and NOMEM have rolled everything back already: the batch is over, for everybody.
      if (isFatal(error) || !database.inTransaction) throw error;
      database.exec('ROLLBACK TO unit; RELEASE unit');
      return refused(error);
    }
  }
}

function writeProbe(database: Database): void {
  const native = database.native;
  native.exec('BEGIN IMMEDIATE');
  native.prepare('INSERT OR REPLACE INTO write_probe (id, filler) VALUES (1, ?)').run(PROBE_FILLER);
  native.exec('COMMIT');
}

/** Pages committed to the log and not yet copied back. */
function pendingFrames(database: Database): number {
  const row = database.native.prepare('PRAGMA wal_checkpoint(NOOP)').get() as {
    log: number;
    checkpointed: number;
  };
  return row.log - row.checkpointed;
}

function refused(error: unknown): Outcome {
  return { ok: false, error };
}

function diskFull(): Fault {
  return new Fault('DISK_FULL', 'the disk of the appliance is full; reads and validation go on', {
    retryAfterMs: 10_000,
  });
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function isFull(error: unknown): boolean {
  return codeOf(error) === 'SQLITE_FULL';
}

/** The file may be damaged, or an fsync failed and the kernel has dropped the pages: going on would be guessing. */
function isFatal(error: unknown): error is Error {
  return /^SQLITE_(IOERR|CORRUPT|NOTADB)/.test(codeOf(error));
}
