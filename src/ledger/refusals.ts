import { DAY, HOUR, type EpochMs } from '../lib/clock.ts';
import type { Actor, Authority, DecidingColumns } from '../storage/journal.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import type { Happening } from './append.ts';
import { addressPrefix } from './address-prefix.ts';
import { HeavyHitters, Tally } from './tally.ts';

/** A refusal of somebody who has proven who he is. */
export interface KnownRefusal {
  readonly actor: Actor;
  readonly realm: RealmId | null;
  /** Request id of ours; that of the last one stands in the entry. */
  readonly requestId: string;
  /** What decided, e.g. `scope.licenses:write`. */
  readonly rule: string;
  /** What was wanted: method and route pattern, never a path with ids in it. */
  readonly action: string;
  /** Fault code. */
  readonly code: string;
}

/** A refusal of nobody in particular. */
export interface AnonymousRefusal {
  /** Fault code. */
  readonly code: string;
  /** Which kind of route, e.g. `validate` or `licenses`; a fixed word. */
  readonly routeClass: string;
  /** The client's address. */
  readonly address: string;
}

/** One entry to be written, and in whose name. */
export interface RefusalEntry {
  readonly authority: Authority;
  readonly happening: Happening;
}

/** Distinct (principal, rule, action) kept apart in a minute; the rest is counted together. */
const KNOWN_KEYS = 512;
/** Distinct (code, route class) shown in a summary; the rest is counted together. */
const PAIRS_SHOWN = 24;
const PAIRS_KEPT = 256;
/** Network prefixes followed at a time, and shown. */
const PREFIXES_KEPT = 1024;
const PREFIXES_SHOWN = 20;
/** What refusals may add to the database in a day; after that totals only. */
const DAILY_BYTES = 2 * 1024 * 1024;
/** What an entry costs besides what it says: fixed members, hash, salts, index rows, sealing. */
const ENTRY_OVERHEAD_BYTES = 400;
const TOTALS_EVERY = HOUR;

const NOBODY: Authority = {
  actor: { kind: 'anonymous', id: '-', via: 'http' },
  requestId: 'refusals',
  realm: null,
};

interface Known {
  last: KnownRefusal;
  count: number;
}

/**
 * Collects refusals so that they can be recorded without becoming a weapon: memory and entries are bounded whatever
 * comes in. Of a known principal at most one entry per (principal, rule, action) and flush, with a count; all anonymous
 * ones make one summary; at most 2 MiB a day, after that one entry of totals an hour. Does no I/O: a job takes the entries
 * once a minute, and at stop.
 */
export class Refusals {
  #known = new Map<string, Known>();
  /** Refusals of known principals beyond the keys kept apart. */
  #crowded = 0;
  #pairs = new Tally(PAIRS_KEPT);
  #prefixes = new HeavyHitters(PREFIXES_KEPT);
  #day = -1;
  #spent = 0;
  /** Refusals of which the day's budget has left only the numbers. */
  #totals = new Tally(PAIRS_KEPT);
  #totalsSince: EpochMs | undefined;

  /** How many distinct things are held in memory: bounded. */
  get tracked(): number {
    return this.#known.size + this.#pairs.size + this.#prefixes.size + this.#totals.size;
  }

  /** Counts a refusal of a known principal. */
  known(refusal: KnownRefusal): void {
    const { actor, rule, action } = refusal;
    const key = JSON.stringify([actor.kind, actor.id, rule, action]);
    const entry = this.#known.get(key);
    if (entry !== undefined) {
      entry.count++;
      entry.last = refusal;
    } else if (this.#known.size < KNOWN_KEYS) this.#known.set(key, { last: refusal, count: 1 });
    else this.#crowded++;
  }

  /** Counts a refusal of nobody in particular. */
  anonymous({ code, routeClass, address }: AnonymousRefusal): void {
    this.#pairs.add(`${code} ${routeClass}`);
    this.#prefixes.add(addressPrefix(address));
  }

  /**
   * Takes what has come together as entries to be written; to be called once a minute and at stop.
   * @param now trusted time, decides the day
   */
  flush(now: EpochMs, options: { readonly last?: boolean } = {}): RefusalEntry[] {
    this.#startDay(now);
    const kept = this.#take().filter((entry) => this.#afford(entry, now));
    return [...kept, ...this.#takeTotals(now, options.last === true)];
  }

  #startDay(now: EpochMs): void {
    const day = Math.floor(now / DAY);
    if (day !== this.#day) this.#spent = 0;
    this.#day = day;
  }

  #take(): RefusalEntry[] {
    const entries = [...this.#known.values()].map(knownEntry);
    if (this.#crowded > 0) entries.push(summary('crowded', { total: this.#crowded }));
    if (this.#pairs.total > 0) entries.push(anonymousSummary(this.#pairs, this.#prefixes));
    this.#known = new Map();
    this.#crowded = 0;
    this.#pairs = new Tally(PAIRS_KEPT);
    this.#prefixes = new HeavyHitters(PREFIXES_KEPT);
    return entries;
  }

  /** Whether the day's budget has room for an entry; if not, its number goes into the totals. */
  #afford({ happening }: RefusalEntry, now: EpochMs): boolean {
    const bytes = ENTRY_OVERHEAD_BYTES + JSON.stringify(happening).length;
    if (this.#spent + bytes <= DAILY_BYTES) {
      this.#spent += bytes;
      return true;
    }
    this.#totalsSince ??= now;
    const { count, total } = happening.facts ?? {};
    this.#totals.add(happening.target.kind, Number(count ?? total));
    return false;
  }

  #takeTotals(now: EpochMs, last: boolean): RefusalEntry[] {
    const since = this.#totalsSince;
    if (since === undefined || (!last && now >= since && now - since < TOTALS_EVERY)) return [];
    const entry = summary('totals', { total: this.#totals.total, ...this.#totals.busiest(PAIRS_SHOWN) });
    this.#totals = new Tally(PAIRS_KEPT);
    this.#totalsSince = undefined;
    return [entry];
  }
}

function knownEntry({ last, count }: Known): RefusalEntry {
  const { actor, realm, requestId, rule, action, code } = last;
  return {
    authority: { actor, realm, requestId },
    happening: {
      action: 'access.refused',
      target: { kind: 'route', id: action },
      outcome: 'refused',
      facts: { rule, code, count },
    },
  };
}

function anonymousSummary(pairs: Tally, prefixes: HeavyHitters): RefusalEntry {
  const busiest = prefixes.busiest(PREFIXES_SHOWN);
  const shown = busiest.reduce((sum, { count }) => sum + count, 0);
  const facts = { total: pairs.total, ...pairs.busiest(PAIRS_SHOWN) };
  const entry = summary('anonymous', facts);
  // An address, even a shortened one, may lead to a person.
  const addresses = {
    prefixes: busiest.map(({ name, count }) => ({ prefix: name, count })),
    rest: pairs.total - shown,
  };
  return { ...entry, happening: { ...entry.happening, private: addresses } };
}

function summary(kind: 'anonymous' | 'crowded' | 'totals', facts: DecidingColumns): RefusalEntry {
  const happening = { action: 'access.refusals_counted', target: { kind, id: 'all' }, facts } as const;
  return { authority: NOBODY, happening: { ...happening, outcome: 'refused' } };
}
