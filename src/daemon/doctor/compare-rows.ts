import { Fault } from '../../faults.ts';
import { newestRowEntry, type RowEntry } from '../../ledger/index.ts';
import { type RealmId, realmIdOf } from '../../storage/realm-scope.ts';
import type { Reader } from '../../storage/tx.ts';
import { allRealms } from './compared-rows-store.ts';
import type { ComparedRow, Noun, OpenKeys, Place } from './noun.ts';
import { NOUNS } from './nouns.ts';

/** A row that is not what the ledger says it is. */
export interface Mismatch {
  readonly kind: string;
  readonly id: string;
  /** `<tenant id>/<environment>`, or `system`. */
  readonly realm: string;
  /** In words that follow on "the row". */
  readonly problem: string;
}

/** How rows are compared. */
export interface Comparing {
  readonly reader: Reader;
  /** Null: sealed values stay shut, and what is found by digests of them is not checked. */
  readonly keys: OpenKeys | null;
  /** Whether the entries themselves have to be proven, because nobody walks over the whole ledger. */
  readonly proveEntries: boolean;
}

/** The realms whose rows are compared: those of an erased tenant are no more. */
export function comparedRealms(reader: Reader): RealmId[] {
  return allRealms(reader)
    .filter(({ status }) => status !== 'erased')
    .map(({ realm }) => realmIdOf(realm));
}

/** Compares every row of the small tables with the ledger: who gets in, what signs, who this appliance is. */
export function compareSmallTables(reader: Reader): Mismatch[] {
  const comparing = { reader, keys: null, proveEntries: true };
  const small = NOUNS.filter((noun) => noun.small);
  return comparedRealms(reader).flatMap((realm) =>
    small.flatMap((noun) => [...comparePages(comparing, { reader, realm }, noun)].flat()),
  );
}

/** Compares every row of a kind in a realm, page by page. */
export function* comparePages(comparing: Comparing, place: Place, noun: Noun): Generator<Mismatch[]> {
  for (const page of noun.pages(place)) {
    yield page.flatMap((row) => {
      const problem = problemOf(comparing, place, { noun, row });
      return problem === null ? [] : [mismatch(place, { kind: noun.kind, id: row.id }, problem)];
    });
  }
}

/** Names a row with what is wrong with it. */
export function mismatch(
  { reader, realm }: Place,
  row: { readonly kind: string; readonly id: string },
  problem: string,
): Mismatch {
  return { ...row, realm: realmLabels(reader).get(realm) ?? 'a realm that is not there', problem };
}

/** `<tenant id>/<environment>` of every realm, as entries name it. */
export function realmLabels(reader: Reader): ReadonlyMap<RealmId, string> {
  return new Map(
    allRealms(reader).map(({ realm, tenantId, environment }) => [
      realmIdOf(realm),
      tenantId === null ? environment : `${tenantId}/${environment}`,
    ]),
  );
}

function problemOf(
  { reader, keys, proveEntries }: Comparing,
  { realm }: Place,
  { noun, row }: { readonly noun: Noun; readonly row: ComparedRow },
): string | null {
  const { kind } = noun;
  return explained(() => {
    const newest = newestRowEntry(reader, { realm, kind, id: row.id });
    if (newest === undefined) return 'was put there: no entry of the ledger tells of it';
    if (proveEntries && !newest.isInTree()) return `rests on entry ${newest.position}, which was altered`;
    if (!saysSo(noun, row, newest)) {
      return `was changed behind the ledger: entry ${newest.position} (${newest.action}) left something else there`;
    }
    if (keys === null || row.isFoundRightly?.(keys) !== false) return null;
    return 'is led to by a digest that is not its own';
  });
}

function saysSo({ endedBy }: Noun, { columns, emptied = false }: ComparedRow, newest: RowEntry): boolean {
  return emptied ? endedBy.has(newest.action) : newest.leftBehind(columns);
}

function explained(look: () => string | null): string | null {
  try {
    return look();
  } catch (error) {
    if (error instanceof Fault) return `cannot be compared: ${error.message}`;
    throw error;
  }
}
