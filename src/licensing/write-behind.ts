import type { RealmId } from '../storage/realm-scope.ts';
import type { RealmTx, Tx } from '../storage/tx.ts';
import type { UnitOfWork } from '../storage/unit-of-work.ts';

/** Rows written by one unit: it must leave room for other units of its batch. */
const ROWS_PER_UNIT = 256;
/** Rows that may wait: at the highest rate of validation a disk may stand still for a quarter of a minute. */
const WAITING_LIMIT = 100_000;

/** How one kind of bookkeeping is gathered and written. */
export interface WriteBehindRule<V> {
  /** Name of the job that writes. */
  readonly job: string;
  /** Two changes of one row as one. */
  readonly merge: (older: V, newer: V) => V;
  /** Writes one row; called inside a unit of work. */
  readonly write: (tx: RealmTx, id: string, value: V) => void;
}

interface Row<V> {
  readonly realm: RealmId;
  readonly id: string;
  readonly value: V;
}

/**
 * Counters and times that nobody waits for: gathered in memory, written by `flush` (each second, and at stop). A crash
 * loses what was gathered since the last flush. Reads add `pending`.
 */
export class WriteBehind<V> {
  readonly #work: Pick<UnitOfWork, 'keep'>;
  readonly #rule: WriteBehindRule<V>;
  #waiting = new Map<string, Row<V>>();
  /** Handed to the writer and not yet committed. */
  #leaving = new Map<string, Row<V>>();
  #flushing: Promise<void> | null = null;
  #dropped = 0;

  constructor(work: Pick<UnitOfWork, 'keep'>, rule: WriteBehindRule<V>) {
    this.#work = work;
    this.#rule = rule;
  }

  /** Changes that were given up because too many waited, since the start: a metric. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Gathers one change. Never waits, never fails: beyond the bound it is counted as dropped. */
  add(realm: RealmId, id: string, value: V): void {
    const key = keyOf(realm, id);
    const known = this.#waiting.get(key);
    if (known === undefined && this.#waiting.size >= WAITING_LIMIT) {
      this.#dropped += 1;
      return;
    }
    const merged = known === undefined ? value : this.#rule.merge(known.value, value);
    this.#waiting.set(key, { realm, id, value: merged });
  }

  /** What is not yet on disk of one row. */
  pending(realm: RealmId, id: string): V | undefined {
    const key = keyOf(realm, id);
    const leaving = this.#leaving.get(key)?.value;
    const waiting = this.#waiting.get(key)?.value;
    if (leaving === undefined || waiting === undefined) return waiting ?? leaving;
    return this.#rule.merge(leaving, waiting);
  }

  /**
   * Writes everything gathered so far. When this resolves it is on disk.
   * @throws Fault DISK_FULL, OVERLOADED; what was not written waits for the next time
   */
  async flush(): Promise<void> {
    // One writer at a time; a second caller waits, and then writes what has come since.
    while (this.#flushing !== null) await this.#flushing.catch(() => undefined);
    if (this.#waiting.size === 0) return;
    this.#flushing = this.#writeAll().finally(() => {
      this.#flushing = null;
    });
    await this.#flushing;
  }

  async #writeAll(): Promise<void> {
    this.#leaving = this.#waiting;
    this.#waiting = new Map();
    const rows = [...this.#leaving.values()];
    try {
      for (let at = 0; at < rows.length; at += ROWS_PER_UNIT) {
        const slice = rows.slice(at, at + ROWS_PER_UNIT);
        await this.#work.keep(this.#rule.job, (tx) => {
          this.#writeSlice(tx, slice);
        });
      }
    } finally {
      this.#takeBack();
    }
  }

  #writeSlice(tx: Tx, slice: readonly Row<V>[]): void {
    for (const { realm, id, value } of slice) this.#rule.write(tx.in(realm), id, value);
    tx.afterCommit(() => {
      for (const { realm, id } of slice) this.#leaving.delete(keyOf(realm, id));
    });
  }

  /** What could not be written waits again, in front of what has come since. */
  #takeBack(): void {
    for (const [key, row] of this.#leaving) {
      const newer = this.#waiting.get(key);
      const value = newer === undefined ? row.value : this.#rule.merge(row.value, newer.value);
      this.#waiting.set(key, { ...row, value });
    }
    this.#leaving = new Map();
  }
}

const keyOf = (realm: RealmId, id: string): string => `${realm} ${id}`;
