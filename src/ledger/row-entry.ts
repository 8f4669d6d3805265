import type { DecidingColumns } from '../storage/journal.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import type { Reader } from '../storage/tx.ts';
import { decidingDigest, type EntryDocument, parseEntry } from './entry.ts';
import { ledgerSize, storedNodes } from './ledger-store.ts';
import { leafHash, treeRoot } from './merkle.ts';
import { headOf, inclusionProof, verifyInclusion } from './merkle-proof.ts';
import { type EntryAbout, entriesAbout } from './row-entries-store.ts';

/** Which row, as the target of entries names it. */
export interface RowName {
  /** SYSTEM_REALM for what belongs to the appliance. */
  readonly realm: RealmId;
  readonly kind: string;
  readonly id: string;
}

/** The newest entry that says what a row is. */
export interface RowEntry {
  readonly position: number;
  readonly action: string;
  /** Whether the deciding columns of a row are the ones that the entry left there. */
  leftBehind(columns: DecidingColumns): boolean;
  /** What it says in clear. */
  readonly facts: DecidingColumns;
  /** Whether the entry stands in the tree of everything stored: one that was altered since does not. */
  isInTree(): boolean;
}

/** Entries read at a time: most rows have few. */
const PAGE = 8;

/**
 * The newest entry with an `after` whose target is this row; undefined when there is none. It is found through the index of
 * subjects, which proves nothing by itself: that the index is whole is what a walk over the ledger shows.
 * @throws Fault LEDGER_INVALID when stored bytes are no entry
 */
export function newestRowEntry(reader: Reader, row: RowName): RowEntry | undefined {
  let before = Number.MAX_SAFE_INTEGER;
  for (;;) {
    const page = entriesAbout(reader, { realm: row.realm, subject: row.id }, { before, limit: PAGE });
    for (const stored of page) {
      const entry = parseEntry(stored.bytes);
      if (entry.target.kind === row.kind && entry.target.id === row.id && describes(entry)) {
        return rowEntry(reader, stored, entry);
      }
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return undefined;
    before = last.position;
  }
}

/** Whether an entry says what its target is after it. A refusal changes nothing. */
export function describes({ after, outcome }: Pick<EntryDocument, 'after' | 'outcome'>): boolean {
  return after !== undefined && outcome === 'done';
}

function rowEntry(reader: Reader, stored: EntryAbout, entry: EntryDocument): RowEntry {
  const salt = Buffer.from(entry.salt, 'hex');
  return {
    position: stored.position,
    action: entry.action,
    facts: entry.facts ?? {},
    leftBehind: (columns) => decidingDigest(salt, columns).toString('hex') === entry.after,
    isInTree: () => entry.index === stored.position && isInTree(reader, stored),
  };
}

/** The root over everything stored is compared with what was signed at each start (anchor.ts). */
function isInTree(reader: Reader, { position, bytes }: EntryAbout): boolean {
  const nodes = storedNodes(reader);
  const place = { index: position, size: ledgerSize(reader) };
  const claim = { leaf: leafHash(bytes), root: treeRoot(headOf(nodes, place.size)) };
  return verifyInclusion(place, claim, inclusionProof(nodes, place));
}
