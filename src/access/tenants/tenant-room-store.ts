import { Fault } from '../../faults.ts';
import { findRealm } from '../../storage/realms.ts';
import { statement } from '../../storage/statement.ts';
import type { Reader, RealmReader } from '../../storage/tx.ts';

/** What a tenant may have in one environment (null: any number), and how many records it has there. */
export interface TenantRoom {
  readonly maxLicenses: number | null;
  readonly maxMachines: number | null;
  readonly maxRecords: number | null;
  /** As the commit before left them; null: nothing was ever counted. */
  readonly records: number | null;
}

/** What a tenant has in one environment: living licences and machines, and records. */
export interface TenantUsage {
  readonly licenses: number;
  readonly machines: number;
  readonly records: number;
}

/** What a tenant has that is new. */
export const NOTHING: TenantUsage = { licenses: 0, machines: 0, records: 0 };

const ROOM = statement()((db, p) =>
  db
    .selectFrom('realms')
    .innerJoin('tenants', 'tenants.id', 'realms.tenant_id')
    .leftJoin('realm_counters as c', (join) => join.onRef('c.realm_id', '=', 'realms.realm_id'))
    .select([
      'tenants.max_licenses as maxLicenses',
      'tenants.max_machines as maxMachines',
      'tenants.max_records as maxRecords',
      'c.records as records',
    ])
    .where('realms.realm_id', '=', p.realm),
);

const USAGE = statement()((db, p) =>
  db.selectFrom('realm_counters').select(['licenses', 'machines', 'records']).where('realm_id', '=', p.realm),
);

/** The limits of the realm's tenant; undefined: it is nobody's, and has none. */
export function tenantRoom(reader: RealmReader): TenantRoom | undefined {
  return reader.get(ROOM, {});
}

/** What a tenant has in its two environments. */
export function tenantUsage(reader: Reader, tenantId: string): Record<'live' | 'test', TenantUsage> {
  const of = (environment: 'live' | 'test'): TenantUsage => {
    const realm = findRealm(reader, { tenantId, environment });
    return (realm === undefined ? undefined : reader.in(realm).get(USAGE, {})) ?? NOTHING;
  };
  return { live: of('live'), test: of('test') };
}

/** Of the records that a tenant may have, one in so many is kept for what its own credentials create. */
const KEPT_FOR_PUBLISHER = 10;

/**
 * Why nothing is created in a realm any more; null: there is room for `count` records. What one commit adds is not in the
 * count that its own units see: so far may the limit be passed.
 * @param by holders of licences leave the last tenth to the publisher, who could sell nothing more for what they do
 */
export function refuseFull(
  room: Pick<TenantRoom, 'maxRecords' | 'records'> | undefined,
  count = 1,
  by: 'publisher' | 'holder' = 'publisher',
): { readonly refused: Fault } | null {
  const most = room?.maxRecords ?? null;
  if (most === null) return null;
  const kept = by === 'holder' ? Math.floor(most / KEPT_FOR_PUBLISHER) : 0;
  if ((room?.records ?? 0) + count <= most - kept) return null;
  const message =
    kept === 0
      ? 'the tenant has as many records in this environment as it may: nothing new is created'
      : 'the last tenth of the records that the tenant may have in this environment is kept for the publisher';
  return { refused: new Fault('TENANT_LIMIT', message) };
}
