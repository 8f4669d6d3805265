import { Fault } from '../../faults.ts';
import {
  describes,
  type EntryDocument,
  isIndexed,
  type LedgerReport,
  newestRowEntry,
  NO_ROW,
  parseEntry,
  type StoredEntry,
  walkStored,
} from '../../ledger/index.ts';
import { type RealmId, SYSTEM_REALM } from '../../storage/realm-scope.ts';
import type { Reader } from '../../storage/tx.ts';
import {
  comparedRealms,
  type Comparing,
  comparePages,
  type Mismatch,
  mismatch,
  realmLabels,
} from './compare-rows.ts';
import type { Noun, Place } from './noun.ts';
import { NOUNS } from './nouns.ts';

/** Enough to see what is wrong; every further one is counted. */
const SHOWN = 20;

/** What a look at everything found. */
export interface DeepReport {
  readonly ledger: LedgerReport;
  /** The first of each kind. */
  readonly mismatches: readonly Mismatch[];
  readonly found: number;
}

/** What the look needs. */
export interface DeepDeps extends Omit<Comparing, 'proveEntries'> {
  /** `mintmark/<appliance id>`. */
  readonly origin: string;
  /** Lets others have their turn. */
  readonly pause: () => Promise<void>;
}

/** Verifies the ledger in slices. */
export async function verifyLedger(
  deps: Pick<DeepDeps, 'reader' | 'origin' | 'pause'>,
): Promise<LedgerReport> {
  const walk = walkStored(deps);
  for (;;) {
    const slice = walk.next();
    if (slice.done === true) return slice.value;
    await deps.pause();
  }
}

/**
 * Verifies the ledger, and compares every row that decides something with it, in both directions, in bounded memory.
 * 1. Every entry: it is what was signed, it is found under what it is about, and the row that it tells of is there.
 * 2. Every row: its newest entry left it as it is. The index by which that one is found was proven whole in 1.
 */
export async function lookDeep(deps: DeepDeps): Promise<DeepReport> {
  const found = new Found();
  const entries = new EntryLook(deps.reader);
  const walk = walkStored(deps);
  let slice = walk.next();
  for (; slice.done !== true; slice = walk.next()) {
    for (const entry of slice.value) found.add(entries.at(entry));
    await deps.pause();
  }
  for (const realm of comparedRealms(deps.reader)) await compareRealm(deps, realm, found);
  return { ledger: slice.value, ...found.report() };
}

async function compareRealm(deps: DeepDeps, realm: RealmId, found: Found): Promise<void> {
  const place = { reader: deps.reader, realm };
  for (const noun of NOUNS) {
    for (const page of comparePages({ ...deps, proveEntries: false }, place, noun)) {
      for (const one of page) found.add(one);
      await deps.pause();
    }
  }
}

/** What was found, each thing once. */
class Found {
  readonly #shown = new Map<string, Mismatch>();
  #count = 0;

  add(one: Mismatch | null): void {
    if (one === null) return;
    const name = `${one.realm} ${one.kind} ${one.id} ${one.problem}`;
    if (this.#shown.has(name)) return;
    this.#count += 1;
    if (this.#shown.size < SHOWN) this.#shown.set(name, one);
  }

  report(): Pick<DeepReport, 'mismatches' | 'found'> {
    return { mismatches: [...this.#shown.values()], found: this.#count };
  }
}

/** One entry after the other, each against the index and the rows. */
class EntryLook {
  readonly #reader: Reader;
  readonly #compared: ReadonlySet<RealmId>;
  readonly #nouns = new Map(NOUNS.map((noun) => [noun.kind, noun]));
  readonly #labels: ReadonlyMap<RealmId, string>;

  constructor(reader: Reader) {
    this.#reader = reader;
    this.#compared = new Set(comparedRealms(reader));
    this.#labels = realmLabels(reader);
  }

  at(stored: StoredEntry): Mismatch | null {
    const entry = readEntry(stored);
    // What is no entry any more is in the report of the ledger.
    if (entry === null) return null;
    const reader = this.#reader;
    const realm = stored.realm ?? SYSTEM_REALM;
    const place = { reader, realm };
    const about = { kind: 'entry', id: String(stored.position) };
    if (this.#labelOf(realm) !== entry.realm) return mismatch(place, about, `was moved from ${entry.realm}`);
    const { kind, id } = entry.target;
    // Of an erased tenant the entries are left, and nothing that leads to them.
    if (!this.#compared.has(realm)) return null;
    if (!isIndexed(reader, { realm, subject: id, position: stored.position })) {
      return mismatch(place, about, `is not found any more under ${kind} ${id}, which it is about`);
    }
    const noun = this.#nouns.get(kind);
    const begins = describes(entry) && entry.before === undefined;
    if (noun === undefined || !begins || !isMissing(place, noun, id)) return null;
    return mismatch(place, { kind, id }, 'was taken away behind the ledger');
  }

  /** A realm may have been made since the look began. */
  #labelOf(realm: RealmId): string | undefined {
    return this.#labels.get(realm) ?? realmLabels(this.#reader).get(realm);
  }
}

function readEntry({ bytes }: StoredEntry): EntryDocument | null {
  try {
    return parseEntry(bytes);
  } catch (error) {
    if (error instanceof Fault) return null;
    throw error;
  }
}

function isMissing(place: Place, noun: Noun, id: string): boolean {
  if (noun.find(place, id) !== undefined) return false;
  const newest = newestRowEntry(place.reader, { realm: place.realm, kind: noun.kind, id });
  return newest === undefined || !(newest.leftBehind(NO_ROW) || noun.mayBeGone(place, id, newest));
}
