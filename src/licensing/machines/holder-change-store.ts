import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';

const COUNTED = statement<{ licenseId: string; day: number }>()((db, p) =>
  db
    .selectFrom('license_usage')
    .select('changes_today as changes')
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('changes_day', '=', p.day),
);

const COUNT = statement<{ licenseId: string; day: number; limit: number }>()((db, p) =>
  db
    .updateTable('license_usage')
    .set((eb) => ({
      changes_day: p.day,
      changes_today: eb
        .case()
        .when('changes_day', '=', p.day)
        .then(eb('changes_today', '+', 1))
        .else(1)
        .end(),
    }))
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where((eb) => eb.or([eb('changes_day', '!=', p.day), eb('changes_today', '<', p.limit)])),
);

const TELL = statement<{ licenseId: string; day: number }>()((db, p) =>
  db
    .updateTable('license_usage')
    .set({ changes_told: p.day })
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('changes_told', '!=', p.day),
);

/** How many changes the holder of a licence has made on a day (since the epoch, UTC). */
export function holderChanges(reader: RealmReader, licenseId: string, day: number): number {
  return reader.get(COUNTED, { licenseId, day })?.changes ?? 0;
}

/** Counts one more by one conditional statement; false when there are `limit` (at least 1) of them already. */
export function countHolderChange(
  tx: RealmTx,
  licenseId: string,
  change: { readonly day: number; readonly limit: number },
): boolean {
  return tx.run(COUNT, { licenseId, ...change }).changes === 1;
}

/** Notes that the limit of a day is told of; false: it has been. */
export function tellOfChangesOnce(tx: RealmTx, licenseId: string, day: number): boolean {
  return tx.run(TELL, { licenseId, day }).changes === 1;
}
