import { statement } from '../../storage/statement.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmReader, RealmTx, Tx } from '../../storage/tx.ts';

/** More licences than any table holds: the limit of a tenant without one. */
const UNLIMITED = Number.MAX_SAFE_INTEGER;

const LIMIT = statement<{ of: RealmId }>()((db, p) =>
  db
    .selectFrom('realms')
    .innerJoin('tenants', 'tenants.id', 'realms.tenant_id')
    .select('tenants.max_licenses as maxLicenses')
    .where('realms.realm_id', '=', p.of),
);

const COUNT = statement<{ count: number; room: number }>()((db, p) =>
  db
    .insertInto('realm_counters')
    .values({ realm_id: p.realm, licenses: p.count })
    .onConflict((conflict) =>
      conflict
        .column('realm_id')
        .doUpdateSet((eb) => ({ licenses: eb('realm_counters.licenses', '+', p.count) }))
        .where('realm_counters.licenses', '<=', p.room),
    ),
);

const UNCOUNT = statement()((db, p) =>
  db
    .updateTable('realm_counters')
    .set((eb) => ({ licenses: eb('licenses', '-', 1) }))
    .where('realm_id', '=', p.realm),
);

const LICENSES = statement()((db, p) =>
  db.selectFrom('realm_counters').select('licenses').where('realm_id', '=', p.realm),
);

/** How many living licences the realm has. */
export function countTenantLicenses(reader: RealmReader): number {
  return reader.get(LICENSES, {})?.licenses ?? 0;
}

/**
 * Counts more living licences of the realm, by one conditional statement; false when the tenant may not have so many in
 * this environment: then none is counted.
 */
export function claimTenantLicense(tx: Tx, realm: RealmId, count = 1): boolean {
  const limit = tx.get(LIMIT, { of: realm })?.maxLicenses ?? UNLIMITED;
  if (limit < count) return false;
  return tx.in(realm).run(COUNT, { count, room: limit - count }).changes === 1;
}

/** A licence was deleted. */
export function uncountTenantLicense(tx: RealmTx): void {
  tx.run(UNCOUNT, {});
}
