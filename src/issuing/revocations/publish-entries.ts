import { setImmediate as nextTurn } from 'node:timers/promises';
import type { SigningKey } from '../../custody/keyring.ts';
import { Fault } from '../../faults.ts';
import type { EpochMs } from '../../lib/clock.ts';
import { present } from '../../lib/invariant.ts';
import type { RealmReader } from '../../storage/tx.ts';
import type { RevocationListEntries } from '../revocation-list.ts';
import { endedLicenses, goodFiles } from './revocation-list-store.ts';
import { entryOfDigest, entryOfId, SortedEntries } from './sorted-entries.ts';

/** The part of a list that is made from rows. */
export type Gathered = Pick<RevocationListEntries, 'files' | 'licenses' | 'machines' | 'grants' | 'keys'>;

/** What is gathered, from where. */
export interface Gathering {
  readonly reader: RealmReader;
  /** The realm's licence keys that are compromised. */
  readonly compromised: readonly SigningKey[];
  readonly now: EpochMs;
  /** Entries that a list can have; {@link MAX_ENTRIES}, lowered by tests. */
  readonly maxEntries: number;
}

/** As JWS some 13 MB: what the verify library takes, and a machine at a site can hold. */
export const MAX_ENTRIES = 400_000;
/** Rows read in one turn: less than 5 ms. */
const PAGE = 500;

/**
 * Gathers what a list names, from the rows that decide: licences that are revoked or banned, while a file of theirs is
 * good; and each compromised key with the good files that we know to be ours. In slices: a row that changes meanwhile
 * makes the list due again.
 * @throws Fault REVOCATION_LIST_TOO_LONG
 */
export async function gatherEntries(given: Gathering): Promise<Gathered> {
  const budget = new Budget(given.maxEntries);
  const licenses = new SortedEntries();
  for (const status of ['revoked', 'banned'] as const)
    await addLicenses(given, { status, to: licenses, budget });
  const keys = await affirmedFiles(given, budget);
  return { files: [], licenses: await licenses.sorted(), machines: [], grants: [], keys };
}

async function addLicenses(
  { reader, now }: Gathering,
  of: { readonly status: 'revoked' | 'banned'; readonly to: SortedEntries; readonly budget: Budget },
): Promise<void> {
  let seq = 0;
  for (;;) {
    const page = endedLicenses(reader, { status: of.status, seq, limit: PAGE });
    for (const { id, filesUntil } of page) {
      if (filesUntil <= now) continue;
      of.budget.take();
      of.to.add(entryOfId(id));
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    seq = last.seq;
    await nextTurn();
  }
}

async function affirmedFiles(given: Gathering, budget: Budget): Promise<Gathered['keys']> {
  const affirmed = new Map(given.compromised.map(({ kid }) => [kid, new SortedEntries()]));
  if (affirmed.size > 0) await addFiles(given, { to: affirmed, budget });
  const kids = [...affirmed.keys()].sort();
  const keys: { kid: string; affirmed: string[] }[] = [];
  for (const kid of kids) {
    keys.push({ kid, affirmed: await present(affirmed.get(kid), 'a kid of this map').sorted() });
  }
  return keys;
}

async function addFiles(
  { reader, now }: Gathering,
  of: { readonly to: ReadonlyMap<string, SortedEntries>; readonly budget: Budget },
): Promise<void> {
  let [from, seq] = [now + 1, 0];
  for (;;) {
    const page = goodFiles(reader, { from, seq, limit: PAGE });
    for (const { kid, digest } of page) {
      const entries = of.to.get(kid);
      if (entries === undefined) continue;
      of.budget.take();
      entries.add(entryOfDigest(digest));
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return;
    [from, seq] = [last.expiresAt, last.seq];
    await nextTurn();
  }
}

/** How many entries a list may still have. */
class Budget {
  #left: number;

  constructor(most: number) {
    this.#left = most;
  }

  take(): void {
    if (this.#left-- > 0) return;
    throw new Fault(
      'REVOCATION_LIST_TOO_LONG',
      'more is revoked or affirmed than one revocation list can name; let files of shorter life be issued',
    );
  }
}
