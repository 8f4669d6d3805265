import { invariant, present } from '../lib/invariant.ts';
import { type RealmId, realmIdOf } from './realm-scope.ts';
import { statement } from './statement.ts';
import type { Reader, Tx } from './tx.ts';

/** A realm of a tenant, as jobs and directories walk over them. */
export interface TenantRealm {
  readonly realm: RealmId;
  readonly tenantId: string;
  /** The tenant's code, as it stands in issuer names and URLs. */
  readonly tenantCode: string;
  readonly environment: 'live' | 'test';
}

/** What a tenant may have in each environment; null: any number. Passing one blocks creation, never validation. */
export interface TenantLimits {
  /** Living licences. */
  readonly maxLicenses: number | null;
  /** Living machines. */
  readonly maxMachines: number | null;
  /** Files issued on a day (UTC). */
  readonly maxFilesPerDay: number | null;
  /** Rows that are kept (kept-rows.ts). */
  readonly maxRecords: number | null;
}

/** Any number of everything: what a tenant may have when nobody says otherwise. */
export const NO_LIMITS: TenantLimits = {
  maxLicenses: null,
  maxMachines: null,
  maxFilesPerDay: null,
  maxRecords: null,
};

/** What a new tenant is stored with. */
export interface NewTenant extends TenantLimits {
  readonly id: string;
  /** Unique on the appliance, immutable. */
  readonly code: string;
  readonly name: string;
  readonly tier: string;
  /** Sealed. */
  readonly contact: Buffer | null;
}

/** The two realms of a tenant. */
export interface TenantRealms {
  readonly live: RealmId;
  readonly test: RealmId;
}

const INSERT_TENANT = statement<NewTenant & { now: number }>()((db, p) =>
  db.insertInto('tenants').values({
    id: p.id,
    code: p.code,
    name: p.name,
    status: 'active',
    tier: p.tier,
    max_licenses: p.maxLicenses,
    max_machines: p.maxMachines,
    max_files_per_day: p.maxFilesPerDay,
    max_records: p.maxRecords,
    contact: p.contact,
    created_at: p.now,
    updated_at: p.now,
  }),
);

const LAST_REALM = statement()((db) =>
  db.selectFrom('realms').select('realm_id as last').orderBy('realm_id', 'desc').limit(1),
);

const INSERT_REALM = statement<{ id: RealmId; tenantId: string; environment: 'live' | 'test' }>()((db, p) =>
  db.insertInto('realms').values({ realm_id: p.id, tenant_id: p.tenantId, environment: p.environment }),
);

const LIST_REALMS = statement()((db) =>
  db
    .selectFrom('realms')
    .innerJoin('tenants', 'tenants.id', 'realms.tenant_id')
    .select([
      'realms.realm_id as realm',
      'tenants.id as tenantId',
      'tenants.code as tenantCode',
      'realms.environment',
    ])
    .where('tenants.status', '!=', 'erased')
    .orderBy('realms.realm_id'),
);

const REALM_OF = statement<{ tenantId: string; environment: 'live' | 'test' }>()((db, p) =>
  db
    .selectFrom('realms')
    .select('realm_id as realm')
    .where('tenant_id', '=', p.tenantId)
    .where('environment', '=', p.environment),
);

/**
 * Stores a tenant with its live and its test realm. Numbers of realms are never given twice: realms are not deleted,
 * an erased tenant keeps its empty ones.
 * @throws SqliteError SQLITE_CONSTRAINT_UNIQUE when the code is taken; the tenants' store turns it into a fault.
 */
export function insertTenant(tx: Tx, tenant: NewTenant): TenantRealms {
  tx.run(INSERT_TENANT, { ...tenant, now: tx.now });
  const live = realmIdOf(present(tx.get(LAST_REALM, {}), 'the system realm exists from the start').last + 1);
  const test = realmIdOf(live + 1);
  tx.run(INSERT_REALM, { id: live, tenantId: tenant.id, environment: 'live' });
  tx.run(INSERT_REALM, { id: test, tenantId: tenant.id, environment: 'test' });
  return { live, test };
}

/** The realms of all tenants that are not erased, in order of their numbers; the system realm is not among them. */
export function listRealms(reader: Reader): TenantRealm[] {
  return reader.all(LIST_REALMS, {}).map(({ environment, ...realm }) => {
    invariant(environment !== 'system', 'the system realm belongs to no tenant');
    return { ...realm, environment };
  });
}

/** The realm of a tenant's environment; undefined when there is no such tenant. */
export function findRealm(
  reader: Reader,
  of: { readonly tenantId: string; readonly environment: 'live' | 'test' },
): RealmId | undefined {
  return reader.get(REALM_OF, { tenantId: of.tenantId, environment: of.environment })?.realm;
}
