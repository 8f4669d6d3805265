import { refuseFull, tenantRoom } from '../../access/index.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';
import { type Refusal, refusal } from '../refusal.ts';
import type { LicenseStatus } from './license.ts';

/** More licences than any table holds: the limit of a tenant without one. */
const UNLIMITED = Number.MAX_SAFE_INTEGER;

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
  readonly revocations: number;
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
      revocations: eb('revocations', '+', p.revocations),
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
 * Counts more living licences of the realm, by one conditional statement; null: they are counted, the tenant may have so
 * many more in this environment.
 */
export function claimTenantLicense(tx: RealmTx, count = 1): Refusal | null {
  const room = tenantRoom(tx);
  const full = refuseFull(room, count);
  if (full !== null) return full;
  const limit = room?.maxLicenses ?? UNLIMITED;
  if (limit >= count && tx.run(COUNT, { count, room: limit - count }).changes === 1) return null;
  return refusal('TENANT_LIMIT', 'the tenant has as many licences in this environment as it may');
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
  // Both states are final: what came into one of them stays on the revocation list.
  const revocations = Number(revoked > 0 || banned > 0);
  tx.run(SHIFT, { licenses: move.licenses, suspended, expired, revoked, banned, revocations });
}
