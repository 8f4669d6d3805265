import { statement } from '../../storage/statement.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmReader, RealmTx, Tx } from '../../storage/tx.ts';
import type { LicenseStatus } from './license.ts';

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

interface Shift {
  readonly licenses: number;
  readonly suspended: number;
  readonly expired: number;
  readonly revoked: number;
  readonly banned: number;
}

const SHIFT = statement<Shift>()((db, p) =>
  db
    .updateTable('realm_counters')
    .set((eb) => ({
      licenses: eb('licenses', '+', p.licenses),
      suspended: eb('suspended', '+', p.suspended),
      expired: eb('expired', '+', p.expired),
      revoked: eb('revoked', '+', p.revoked),
      banned: eb('banned', '+', p.banned),
    }))
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

/** A licence with this stored status was deleted. */
export function uncountTenantLicense(tx: RealmTx, status: LicenseStatus): void {
  shift(tx, { licenses: -1, from: status, to: 'active' });
}

/** A living licence went from one stored status to another. Those that are active are not counted: they are the rest. */
export function countMovedLicense(tx: RealmTx, from: LicenseStatus, to: LicenseStatus): void {
  if (from !== to) shift(tx, { licenses: 0, from, to });
}

function shift(
  tx: RealmTx,
  move: { readonly licenses: number; readonly from: LicenseStatus; readonly to: LicenseStatus },
): void {
  const by = (status: LicenseStatus): number => Number(move.to === status) - Number(move.from === status);
  const [suspended, expired] = [by('suspended'), by('expired')];
  const [revoked, banned] = [by('revoked'), by('banned')];
  tx.run(SHIFT, { licenses: move.licenses, suspended, expired, revoked, banned });
}
