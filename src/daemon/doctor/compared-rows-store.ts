import { type QueryBuilder, statement } from '../../storage/statement.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Reader, RealmReader } from '../../storage/tx.ts';

/**
 * Every row of the tables whose rows decide something, deleted ones too, with the columns that the digests of the ledger
 * cover; page by page in the order of their ids, by which every table has an index.
 */

interface Part {
  after: string;
  limit: number;
}
interface Holes {
  readonly realm: RealmId;
}

const products = (db: QueryBuilder, p: Holes) =>
  db
    .selectFrom('products')
    .select(['id', 'code', 'key_prefix as keyPrefix', 'signing_kid as signingKid'])
    .select(['indexed_metadata as indexedMetadata', 'deleted_at as deletedAt'])
    .where('realm_id', '=', p.realm);

const policies = (db: QueryBuilder, p: Holes) =>
  db
    .selectFrom('policies')
    .select(['id', 'product_id as productId', 'code', 'template', 'settings'])
    .select(['template_version as templateVersion', 'deleted_at as deletedAt'])
    .where('realm_id', '=', p.realm);

const entitlements = (db: QueryBuilder, p: Holes) =>
  db
    .selectFrom('entitlements')
    .select(['id', 'code', 'deleted_at as deletedAt'])
    .where('realm_id', '=', p.realm);

const licenses = (db: QueryBuilder, p: Holes) =>
  db
    .selectFrom('licenses')
    .select(['id', 'product_id as productId', 'policy_id as policyId', 'status'])
    .select(['expires_at as expiresAt', 'starts_on as startsOn', 'key_origin as keyOrigin'])
    .select(['max_machines_override as maxMachinesOverride', 'max_uses_override as maxUsesOverride'])
    .select(['weak_key as weakKey', 'deleted_at as deletedAt', 'kept_until as keptUntil'])
    .select(['key_hash as keyHash', 'key_sealed as keySealed'])
    .where('realm_id', '=', p.realm);

const machines = (db: QueryBuilder, p: Holes) =>
  db
    .selectFrom('machines')
    .select(['id', 'license_id as licenseId', 'alive', 'public_key as publicKey'])
    .select(['user_index as userIndex', 'created_at as createdAt', 'deleted_at as deletedAt'])
    .select(['seat_held_until as seatHeldUntil', 'purged_at as purgedAt'])
    .select(['fingerprint_hash as fingerprintHash', 'fingerprint_sealed as fingerprintSealed'])
    .where('realm_id', '=', p.realm);

const files = (db: QueryBuilder, p: Holes) =>
  db
    .selectFrom('issued_files')
    .select(['id', 'kind', 'branch', 'branch_seq as branchSeq', 'license_id as licenseId'])
    .select(['machine_id as machineId', 'fingerprint_hash as fingerprintHash', 'kid', 'digest'])
    .select(['issued_at as issuedAt', 'expires_at as expiresAt'])
    .where('realm_id', '=', p.realm);

const apiKeys = (db: QueryBuilder, p: Holes) =>
  db
    .selectFrom('api_keys')
    .select(['id', 'kind', 'tier', 'public_id as publicId', 'scopes', 'cascade'])
    .select(['allowed_cidrs as allowedCidrs', 'allowed_products as allowedProducts'])
    .select(['issue_limit_per_day as issueLimitPerDay', 'issue_limit_total as issueLimitTotal'])
    .select(['secret_hash as secretHash', 'previous_secret_hash as previousSecretHash'])
    .select(['previous_valid_until as previousValidUntil', 'created_by as createdBy'])
    .select(['expires_at as expiresAt', 'revoked_at as revokedAt'])
    .where('realm_id', '=', p.realm);

/** The two ways to rows of a table: a page of them, and one. */
export const ROWS = {
  products: {
    page: statement<Part>()((db, p) =>
      products(db, p).where('id', '>', p.after).orderBy('id').limit(p.limit),
    ),
    one: statement<{ id: string }>()((db, p) => products(db, p).where('id', '=', p.id)),
  },
  policies: {
    page: statement<Part>()((db, p) =>
      policies(db, p).where('id', '>', p.after).orderBy('id').limit(p.limit),
    ),
    one: statement<{ id: string }>()((db, p) => policies(db, p).where('id', '=', p.id)),
  },
  entitlements: {
    page: statement<Part>()((db, p) =>
      entitlements(db, p).where('id', '>', p.after).orderBy('id').limit(p.limit),
    ),
    one: statement<{ id: string }>()((db, p) => entitlements(db, p).where('id', '=', p.id)),
  },
  licenses: {
    page: statement<Part>()((db, p) =>
      licenses(db, p).where('id', '>', p.after).orderBy('id').limit(p.limit),
    ),
    one: statement<{ id: string }>()((db, p) => licenses(db, p).where('id', '=', p.id)),
  },
  machines: {
    page: statement<Part>()((db, p) =>
      machines(db, p).where('id', '>', p.after).orderBy('id').limit(p.limit),
    ),
    one: statement<{ id: string }>()((db, p) => machines(db, p).where('id', '=', p.id)),
  },
  files: {
    page: statement<Part>()((db, p) => files(db, p).where('id', '>', p.after).orderBy('id').limit(p.limit)),
    one: statement<{ id: string }>()((db, p) => files(db, p).where('id', '=', p.id)),
  },
  apiKeys: {
    page: statement<Part>()((db, p) => apiKeys(db, p).where('id', '>', p.after).orderBy('id').limit(p.limit)),
    one: statement<{ id: string }>()((db, p) => apiKeys(db, p).where('id', '=', p.id)),
  },
} as const;

const LICENSE_LINKS = statement<{ licenseId: string }>()((db, p) =>
  db
    .selectFrom('license_entitlements')
    .select(['license_id as licenseId', 'entitlement_id as entitlementId', 'expires_at as expiresAt'])
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId),
);

const POLICY_LINKS = statement<{ policyId: string }>()((db, p) =>
  db
    .selectFrom('policy_entitlements')
    .select(['policy_id as policyId', 'entitlement_id as entitlementId'])
    .where('realm_id', '=', p.realm)
    .where('policy_id', '=', p.policyId),
);

const TENANTS = statement()((db) =>
  db
    .selectFrom('tenants')
    .select(['id', 'code', 'status', 'tier', 'max_licenses as maxLicenses', 'max_machines as maxMachines'])
    .select(['max_files_per_day as maxFilesPerDay', 'max_records as maxRecords'])
    .select(['bundle_seq as bundleSeq', 'trust_bundle as trustBundle'])
    .orderBy('id'),
);

const REALMS = statement()((db) =>
  db
    .selectFrom('realms')
    .leftJoin('tenants', 'tenants.id', 'realms.tenant_id')
    .select(['realms.realm_id as realm', 'realms.tenant_id as tenantId', 'realms.environment as environment'])
    .select('tenants.status as status')
    .orderBy('realms.realm_id'),
);

const MARK = statement()((db) => db.selectFrom('clock_mark').select(['trusted', 'wall', 'suspect']));

/** The entitlements that a licence has by itself. */
export const linksOfLicense = (reader: RealmReader, licenseId: string) =>
  reader.all(LICENSE_LINKS, { licenseId });

/** The entitlements that a policy gives. */
export const linksOfPolicy = (reader: RealmReader, policyId: string) =>
  reader.all(POLICY_LINKS, { policyId });

/** Every tenant, erased ones too. */
export const allTenants = (reader: Reader) => reader.all(TENANTS, {});

/** Every realm, with its tenant's state. */
export const allRealms = (reader: Reader) => reader.all(REALMS, {});

/** Trusted time as the last commit left it. */
export const clockMark = (reader: Reader) => reader.get(MARK, {});
