import type { EpochMs } from '../../lib/clock.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';
import type { CreationOrder, LicenseFilter, LicensePage } from './license-list-store.ts';
import { storedLicenses } from './license-store.ts';
import type { LicenseSnapshot } from './license.ts';

/** A licence that is deleted and can still be restored. */
export interface DeletedLicense extends LicenseSnapshot {
  readonly deletedAt: EpochMs;
}

const ONE = statement<{ id: string }>()((db, p) =>
  storedLicenses(db, p)
    .select('l.deleted_at as deletedAt')
    .where('l.id', '=', p.id)
    .where('l.deleted_at', 'is not', null)
    .where('l.kept_until', 'is', null)
    .$narrowType<{ deletedAt: EpochMs }>(),
);

const RESTORE = statement<{ id: string; relied: number; now: EpochMs }>()((db, p) =>
  db
    .updateTable('licenses')
    .set((eb) => ({ deleted_at: null, updated_at: p.now, version: eb('version', '+', 1) }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('version', '=', p.relied)
    .where('deleted_at', 'is not', null)
    .where('kept_until', 'is', null),
);

/** The licence with this id that is deleted and not purged. */
export function findDeletedLicense(reader: RealmReader, id: string): DeletedLicense | undefined {
  return reader.get(ONE, { id });
}

/** Licences that are deleted and not purged, in order of their creation. */
export function deletedLicenses(
  reader: RealmReader,
  filter: Pick<LicenseFilter, 'products' | 'policyId' | 'emails'>,
  { order, limit }: LicensePage<CreationOrder>,
): DeletedLicense[] {
  const { products, policyId, emails } = filter;
  return reader.find((db, p) => {
    let query = storedLicenses(db, p)
      .select('l.deleted_at as deletedAt')
      .where('l.deleted_at', 'is not', null)
      .where('l.kept_until', 'is', null)
      .where('l.seq', order.descending ? '<' : '>', order.after)
      .$narrowType<{ deletedAt: EpochMs }>();
    // A no-op keeps the index of all licences of a product out: few of them are deleted.
    if (products !== null) query = query.where((eb) => eb(eb('l.product_id', '||', ''), 'in', products));
    if (policyId !== undefined) query = query.where('l.policy_id', '=', policyId);
    if (emails !== undefined) query = query.where('l.user_email_index', 'in', emails);
    return query.orderBy('l.seq', order.descending ? 'desc' : 'asc').limit(limit);
  });
}

/** Brings the licence back while it has the version relied on. False: it has another, or is gone. */
export function restoreLicenseRow(
  tx: RealmTx,
  at: { readonly id: string; readonly relied: number; readonly now: EpochMs },
): boolean {
  return tx.run(RESTORE, at).changes === 1;
}
