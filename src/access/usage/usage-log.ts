import type { Indexer, Sealer } from '../../custody/sealer.ts';
import { DAY, type EpochMs, HOUR } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import {
  addTotal,
  countRows,
  insertUse,
  type SealedUse,
  sealAddress,
  subjectDigest,
  systemRealm,
} from './usage-store.ts';
import { namedCaller, NOBODY, type UsedRequest, type UseRow, type UseTotal } from './use.ts';

/** Rows that may wait: several seconds of the highest rate of different requests. Beyond them only numbers are kept. */
const ROWS_WAITING = 20_000;
/** Numbers that may wait. Beyond them a request is given up, and counted as dropped. */
const TOTALS_WAITING = 20_000;
/** What nothing was done for, and what a caller can have as many of as he likes: only their numbers are kept. */
const TURNED_AWAY: ReadonlySet<number> = new Set([429, 503]);
/** Rows of one caller a day; beyond them only its numbers are kept, so that nobody fills the disk by asking. */
const ROWS_PER_DAY = 50_000;
/** Callers whose rows of the day are counted; more than have a credential at the largest site. */
const CALLERS_COUNTED = 200_000;
/** Rows of one unit: it must leave room for other units of its batch. */
const ROWS_PER_UNIT = 256;
/** Sealed addresses that are kept: a caller comes from few places. */
const ADDRESSES_KEPT = 10_000;

/** What the log needs. */
export interface UsageLogDeps {
  readonly work: Pick<UnitOfWork, 'keep'>;
  readonly sealer: Pick<Sealer, 'seal'>;
  readonly indexer: Pick<Indexer, 'digest'>;
  /** Trusted time. */
  readonly time: { now(): EpochMs };
}

/**
 * Who asked for what: every request of somebody who has proven who he is, and the numbers of all others and of what was
 * turned away because it was too much. Gathered in memory, where equal requests become one row; written once a second
 * and at stop. A crash loses about a second of it.
 */
export class UsageLog {
  readonly #deps: UsageLogDeps;
  #rows = new Map<string, UseRow>();
  #totals = new Map<string, UseTotal>();
  #rowsOfDay = new Map<string, number>();
  #day = 0;
  readonly #addresses = new Map<string, Buffer>();
  #flushing: Promise<void> | null = null;
  #dropped = 0;

  constructor(deps: UsageLogDeps) {
    this.#deps = deps;
  }

  /** Requests that were given up because too much waited, since the start: a metric. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Gathers one request. Never waits, never fails, does not touch the disk. */
  note(use: UsedRequest): void {
    const principal = namedCaller(use.who);
    if (principal === undefined || TURNED_AWAY.has(use.status)) {
      this.#count(use, principal ?? NOBODY);
      return;
    }
    const { action, status, address, subject = '' } = use;
    const realm = use.who?.realm ?? systemRealm();
    const key = `${realm} ${principal} ${action} ${status} ${address} ${subject}`;
    const known = this.#rows.get(key);
    if (known !== undefined) known.count++;
    else if (this.#mayAdd(principal)) {
      const at = this.#deps.time.now();
      this.#rows.set(key, {
        realm,
        principal,
        at,
        route: action,
        status,
        address,
        subject: use.subject,
        count: 1,
      });
    } else this.#count(use, principal);
  }

  /**
   * Writes everything gathered so far. When this resolves it is on disk.
   * @throws Fault DISK_FULL, OVERLOADED; what was not written waits for the next time
   */
  async flush(): Promise<void> {
    // One writer at a time; a second caller waits, and then writes what has come since.
    while (this.#flushing !== null) await this.#flushing.catch(() => undefined);
    if (this.#rows.size === 0 && this.#totals.size === 0) return;
    this.#flushing = this.#writeAll().finally(() => {
      this.#flushing = null;
    });
    await this.#flushing;
  }

  #mayAdd(principal: string): boolean {
    if (this.#rows.size >= ROWS_WAITING) return false;
    const day = Math.floor(this.#deps.time.now() / DAY);
    if (day !== this.#day) {
      this.#day = day;
      this.#rowsOfDay = new Map();
    }
    const rows = this.#rowsOfDay.get(principal) ?? 0;
    const isCounted = rows > 0 || this.#rowsOfDay.size < CALLERS_COUNTED;
    if (rows >= ROWS_PER_DAY || !isCounted) return false;
    this.#rowsOfDay.set(principal, rows + 1);
    return true;
  }

  #count({ who, action: route, status }: UsedRequest, principal: string): void {
    const realm = who?.realm ?? systemRealm();
    const hour = Math.floor(this.#deps.time.now() / HOUR);
    const key = `${realm} ${hour} ${principal} ${route} ${status}`;
    const known = this.#totals.get(key);
    if (known !== undefined) known.count++;
    else if (this.#totals.size < TOTALS_WAITING) {
      this.#totals.set(key, { realm, hour, principal, route, status, count: 1 });
    } else this.#dropped++;
  }

  async #writeAll(): Promise<void> {
    const [rows, totals] = [this.#rows, this.#totals];
    this.#rows = new Map();
    this.#totals = new Map();
    try {
      await this.#writeSlices(rows, (tx, slice) => {
        this.#insert(tx, slice);
      });
      await this.#writeSlices(totals, (tx, slice) => {
        for (const total of slice) addTotal(tx.in(total.realm), total);
      });
    } finally {
      // What is left could not be written: it waits again, as far as there is room.
      takeBack(this.#rows, rows, ROWS_WAITING);
      takeBack(this.#totals, totals, TOTALS_WAITING);
    }
  }

  /** Writes in units of bounded size; what a unit has written leaves the map when the unit is durable. */
  async #writeSlices<T>(from: Map<string, T>, write: (tx: Tx, slice: readonly T[]) => void): Promise<void> {
    const all = [...from];
    for (let at = 0; at < all.length; at += ROWS_PER_UNIT) {
      const slice = all.slice(at, at + ROWS_PER_UNIT);
      await this.#deps.work.keep('usage-log', (tx) => {
        write(
          tx,
          slice.map(([, value]) => value),
        );
        tx.afterCommit(() => {
          for (const [key] of slice) from.delete(key);
        });
      });
    }
  }

  #insert(tx: Tx, rows: readonly UseRow[]): void {
    const counts = new Map<RealmId, number>();
    for (const row of rows) {
      insertUse(tx.in(row.realm), this.#sealed(row));
      counts.set(row.realm, (counts.get(row.realm) ?? 0) + 1);
    }
    for (const [realm, more] of counts) countRows(tx.in(realm), more);
  }

  #sealed(row: UseRow): SealedUse {
    const { subject } = row;
    const digest = subject === undefined ? null : subjectDigest(this.#deps.indexer, row.realm, subject);
    return { ...row, address: this.#sealedAddress(row), subject: digest };
  }

  /** Sealed once for each caller and address: it opens for rows of that caller alone. */
  #sealedAddress({ realm, principal, address }: UseRow): Buffer {
    const key = `${realm} ${principal} ${address}`;
    const known = this.#addresses.get(key);
    if (known !== undefined) return known;
    const sealed = sealAddress(this.#deps.sealer, { realm, principal }, address);
    if (this.#addresses.size >= ADDRESSES_KEPT) this.#addresses.clear();
    this.#addresses.set(key, sealed);
    return sealed;
  }
}

function takeBack<T extends { count: number }>(
  into: Map<string, T>,
  from: Map<string, T>,
  limit: number,
): void {
  for (const [key, value] of from) {
    const newer = into.get(key);
    if (newer !== undefined) newer.count += value.count;
    else if (into.size < limit) into.set(key, value);
  }
}
