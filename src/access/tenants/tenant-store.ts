import type { Sealer } from '../../custody/sealer.ts';
import { type RealmId, SYSTEM_REALM } from '../../storage/realm-scope.ts';
import { insertTenant as insert, type NewTenant, type TenantRealms } from '../../storage/realms.ts';
import { statement } from '../../storage/statement.ts';
import type { Reader, Tx } from '../../storage/tx.ts';
import type { Tier } from '../api-keys/api-key.ts';
import { limitsOf, type Tenant, type TenantLimits, type TenantStatus } from './tenant.ts';

const COLUMNS = [
  'id',
  'code',
  'name',
  'status',
  'tier',
  'max_licenses as maxLicenses',
  'max_machines as maxMachines',
  'max_files_per_day as maxFilesPerDay',
  'max_records as maxRecords',
  'contact',
  'version',
  'created_at as createdAt',
  'updated_at as updatedAt',
] as const;

const ONE = statement<{ id: string }>()((db, p) =>
  db.selectFrom('tenants').select(COLUMNS).where('id', '=', p.id),
);

const BY_CODE = statement<{ code: string }>()((db, p) =>
  db.selectFrom('tenants').select('id').where('code', '=', p.code),
);

/** Newest first; ids sort by the time they were made. */
const PAGE = statement<{ before: string; limit: number }>()((db, p) =>
  db
    .selectFrom('tenants')
    .select(COLUMNS)
    .where('id', '<', p.before)
    .where('status', '!=', 'erased')
    .orderBy('id', 'desc')
    .limit(p.limit),
);

const UPDATE = statement<Edited & { relied: number }>()((db, p) =>
  db
    .updateTable('tenants')
    .set((eb) => ({
      name: p.name,
      status: p.status,
      tier: p.tier,
      max_licenses: p.maxLicenses,
      max_machines: p.maxMachines,
      max_files_per_day: p.maxFilesPerDay,
      max_records: p.maxRecords,
      contact: p.contact,
      updated_at: p.updatedAt,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', p.id)
    .where('version', '=', p.relied),
);

const SET_BUNDLE = statement<{ id: string; bundle: string; seq: number }>()((db, p) =>
  db.updateTable('tenants').set({ trust_bundle: p.bundle, bundle_seq: p.seq }).where('id', '=', p.id),
);

const STANDINGS = statement()((db) =>
  db
    .selectFrom('realms')
    .innerJoin('tenants', 'tenants.id', 'realms.tenant_id')
    .select([
      'realms.realm_id as realm',
      'realms.environment',
      'tenants.id as tenantId',
      'tenants.code as tenantCode',
      'tenants.status',
      'tenants.tier',
    ])
    .orderBy('realms.realm_id'),
);

/** What a PATCH may change, and which row. */
export type Edited = Pick<
  Tenant,
  'id' | 'name' | 'status' | 'tier' | keyof TenantLimits | 'contact' | 'updatedAt'
>;

/** A realm with its tenant's name and state. */
export interface RealmStanding {
  readonly realm: RealmId;
  readonly tenantId: string;
  readonly tenantCode: string;
  readonly environment: 'live' | 'test';
  readonly status: TenantStatus;
  readonly tier: Tier;
}

/** One tenant. */
export function findTenant(reader: Reader, id: string): Tenant | undefined {
  const row = reader.get(ONE, { id });
  return row === undefined ? undefined : tenantOf(row);
}

/** Whether a code is taken. */
export function codeTaken(reader: Reader, code: string): boolean {
  return reader.get(BY_CODE, { code }) !== undefined;
}

/** Tenants that are not erased, newest first, with ids before `before`. */
export function pageOfTenants(reader: Reader, page: { before: string; limit: number }): Tenant[] {
  return reader.all(PAGE, page).map(tenantOf);
}

/** Stores a tenant with its two realms and its first trust bundle. */
export function insertTenant(
  tx: Tx,
  tenant: NewTenant,
  bundle: { readonly text: string; readonly seq: number },
): TenantRealms {
  const { id, code, name, tier, contact } = tenant;
  const realms = insert(tx, { id, code, name, tier, ...limitsOf(tenant), contact });
  tx.run(SET_BUNDLE, { id, bundle: bundle.text, seq: bundle.seq });
  return realms;
}

/** Changes a tenant while it has the version relied on. False: it has another. */
export function updateTenant(tx: Tx, edited: Edited, relied: number): boolean {
  const { id, name, status, tier, contact, updatedAt } = edited;
  const values = { id, name, status, tier, ...limitsOf(edited), contact, updatedAt, relied };
  return tx.run(UPDATE, values).changes === 1;
}

/** Every realm of every tenant, erased ones too; a handful of rows. */
export function realmStandings(reader: Reader): RealmStanding[] {
  return reader.all(STANDINGS, {}).flatMap(({ environment, tier, ...row }) =>
    // The tier was written from a value the schema had checked.
    environment === 'system' ? [] : [{ ...row, environment, tier: tier as Tier }],
  );
}

/** Seals whom to tell about a tenant. */
export function sealContact(sealer: Pick<Sealer, 'seal'>, id: string, contact: string | null): Buffer | null {
  return contact === null ? null : sealer.seal(contactCell(id), Buffer.from(contact));
}

/** Opens whom to tell about a tenant. */
export function openContact(sealer: Pick<Sealer, 'open'>, tenant: Tenant): string | null {
  return tenant.contact === null
    ? null
    : sealer.open(contactCell(tenant.id), tenant.contact).toString('utf8');
}

function contactCell(id: string): Parameters<Sealer['seal']>[0] {
  return { realm: SYSTEM_REALM, table: 'tenants', column: 'contact', row: id };
}

function tenantOf(row: Omit<Tenant, 'tier'> & { readonly tier: string }): Tenant {
  return { ...row, tier: row.tier as Tier }; // written from a value the schema had checked
}
