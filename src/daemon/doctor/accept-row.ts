import { Fault } from '../../faults.ts';
import { append, newestRowEntry, NO_ROW } from '../../ledger/index.ts';
import { type RealmId, SYSTEM_REALM } from '../../storage/realm-scope.ts';
import type { Authority } from '../../storage/entry.ts';
import type { Reader } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { comparedRealms, compareSmallTables } from './compare-rows.ts';
import { mismatchText } from './database-checks.ts';
import { first } from './finding.ts';
import type { Noun, Place } from './noun.ts';
import { NOUNS } from './nouns.ts';

/**
 * Demands that who gets in, what signs and who this appliance is are what the ledger says; before anything is served.
 * @throws Fault ROWS_DIFFER that names the rows
 */
export function demandRecordedRows(reader: Reader): void {
  const mismatches = compareSmallTables(reader);
  if (mismatches.length === 0) return;
  throw new Fault('ROWS_DIFFER', first(mismatches.map(mismatchText)));
}

/** A row that is to be taken as it stands, and why. */
export interface RowToAccept {
  readonly kind: string;
  readonly id: string;
  readonly reason: string;
}

/**
 * Takes a row that was changed, put there or taken away behind the ledger as it stands now: an entry says what it is from
 * here on, and who said so. Nothing of the row changes.
 * @throws Fault NOT_FOUND when nobody knows of it; CONFLICT when it is what the ledger says; VALIDATION_FAILED for a kind
 *   that there is not
 */
export async function acceptRow(
  work: Pick<UnitOfWork, 'read' | 'run'>,
  authority: Authority,
  { kind, id, reason }: RowToAccept,
): Promise<void> {
  const noun = NOUNS.find((one) => one.kind === kind);
  if (noun === undefined) {
    const kinds = NOUNS.map((one) => one.kind).join(', ');
    throw new Fault('VALIDATION_FAILED', `there are no rows of kind ${kind}; there are ${kinds}`);
  }
  await work.run(authority, (tx) => {
    const realm = realmWith(tx, noun, id);
    const columns = noun.find({ reader: tx, realm }, id)?.columns ?? NO_ROW;
    if (newestRowEntry(tx, { realm, kind, id })?.leftBehind(columns) === true) {
      throw new Fault('CONFLICT', `${kind} ${id} is what the ledger says; there is nothing to accept`);
    }
    append(tx, {
      realm: realm === SYSTEM_REALM ? null : realm,
      action: 'row.accepted',
      target: { kind, id },
      after: columns,
      private: { reason },
    });
  });
}

function realmWith(reader: Reader, noun: Noun, id: string): RealmId {
  const isKnown = (place: Place): boolean =>
    noun.find(place, id) !== undefined ||
    newestRowEntry(reader, { realm: place.realm, kind: noun.kind, id }) !== undefined;
  const realm = comparedRealms(reader).find((one) => isKnown({ reader, realm: one }));
  if (realm === undefined) throw new Fault('NOT_FOUND', `there is no ${noun.kind} ${id}`);
  return realm;
}
