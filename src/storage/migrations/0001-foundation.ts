import { type Kysely, sql } from 'kysely';
import { LICENSE_TABLES, MACHINE_TABLES, OWNED } from './0001-licensing-tables.ts';
import { USAGE_TABLES } from './0001-usage-tables.ts';

const APPLIANCE_TABLES = [
  `CREATE TABLE settings (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE tenants (
    id TEXT PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'suspended', 'erased')),
    tier TEXT NOT NULL,
    max_licenses INTEGER,
    max_machines INTEGER,
    max_files_per_day INTEGER,
    max_records INTEGER,
    contact BLOB,
    bundle_seq INTEGER NOT NULL DEFAULT 0,
    trust_bundle TEXT,
    version INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
  ) STRICT`,
  `CREATE TABLE realms (
    realm_id INTEGER PRIMARY KEY,
    tenant_id TEXT REFERENCES tenants (id),
    environment TEXT NOT NULL CHECK (environment IN ('live', 'test', 'system')),
    UNIQUE (tenant_id, environment)
  ) STRICT`,
  // The way from a credential to its realm. Several realms may have imported one key, hence realm_id in the key. The key
  // of a purged licence stays, and leads nowhere: nobody gets it again.
  `CREATE TABLE license_directory (
    key_hash BLOB NOT NULL,
    index_version INTEGER NOT NULL,
    realm_id INTEGER NOT NULL,
    license_id TEXT NOT NULL,
    purged_at INTEGER,
    PRIMARY KEY (key_hash, realm_id)
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE api_key_directory (
    public_id_hash BLOB PRIMARY KEY,
    index_version INTEGER NOT NULL,
    realm_id INTEGER NOT NULL,
    api_key_id TEXT NOT NULL
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE data_keys (
    realm_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    wrapped BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (realm_id, version)
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE data_key_usage (
    realm_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    reserved INTEGER NOT NULL,
    PRIMARY KEY (realm_id, version)
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE index_keys (
    realm_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    wrapped BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (realm_id, version)
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE signing_keys (
    kid TEXT PRIMARY KEY,
    purpose TEXT NOT NULL,
    tenant_id TEXT,
    realm_id INTEGER,
    algorithm TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'active', 'retiring', 'retired', 'compromised')),
    custodian TEXT NOT NULL,
    reference TEXT NOT NULL,
    copy TEXT,
    public_key BLOB NOT NULL,
    not_before INTEGER NOT NULL,
    not_after INTEGER,
    activates_at INTEGER,
    compromised_since INTEGER,
    version INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    CHECK ((state = 'compromised') = (compromised_since IS NOT NULL)),
    CHECK (activates_at IS NULL OR state = 'pending')
  ) STRICT`,
  // One key signs for a purpose and scope; a scope without tenant or realm is one too, hence no NULL in the index.
  `CREATE UNIQUE INDEX signing_keys_active ON signing_keys (purpose, coalesce(tenant_id, ''), coalesce(realm_id, 0))
    WHERE state = 'active'`,
  `CREATE TABLE clock_mark (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    trusted INTEGER NOT NULL,
    wall INTEGER NOT NULL,
    boot_id TEXT NOT NULL,
    boottime INTEGER NOT NULL,
    suspect TEXT,
    quiet_since INTEGER NOT NULL
  ) STRICT`,
  `CREATE TABLE write_probe (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    filler BLOB NOT NULL
  ) STRICT`,
  `CREATE TABLE job_state (
    job TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    updated_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID`,
];

const LEDGER_TABLES = [
  `CREATE TABLE ledger_entries (
    position INTEGER PRIMARY KEY,
    realm_id INTEGER,
    bytes BLOB NOT NULL,
    hash BLOB NOT NULL
  ) STRICT`,
  'CREATE INDEX ledger_entries_realm ON ledger_entries (realm_id, position)',
  `CREATE TABLE ledger_tiles (
    level INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    PRIMARY KEY (level, number)
  ) STRICT`,
  `CREATE TABLE ledger_private (
    position INTEGER PRIMARY KEY,
    realm_id INTEGER NOT NULL,
    salt BLOB NOT NULL,
    sealed BLOB NOT NULL
  ) STRICT`,
  // Under which ids an entry of a realm is found: what it is about, and the licence that belongs to.
  `CREATE TABLE ledger_subjects (
    ${OWNED},
    subject TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (realm_id, subject, position)
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE ledger_checkpoints (
    size INTEGER PRIMARY KEY,
    note TEXT NOT NULL,
    signed_at INTEGER NOT NULL
  ) STRICT`,
];

const CATALOGUE_TABLES = [
  `CREATE TABLE products (
    seq INTEGER PRIMARY KEY,
    ${OWNED},
    id TEXT NOT NULL,
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    description TEXT,
    key_prefix TEXT NOT NULL,
    signing_kid TEXT NOT NULL,
    metadata BLOB,
    indexed_metadata TEXT NOT NULL DEFAULT '[]',
    version INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    UNIQUE (realm_id, id)
  ) STRICT`,
  'CREATE UNIQUE INDEX products_code ON products (realm_id, code) WHERE deleted_at IS NULL',
  'CREATE INDEX products_list ON products (realm_id, seq) WHERE deleted_at IS NULL',
  'CREATE INDEX products_due ON products (realm_id, deleted_at) WHERE deleted_at IS NOT NULL',
  `CREATE TABLE policies (
    seq INTEGER PRIMARY KEY,
    ${OWNED},
    id TEXT NOT NULL,
    product_id TEXT NOT NULL,
    name TEXT NOT NULL,
    code TEXT NOT NULL,
    template TEXT,
    template_version INTEGER NOT NULL,
    settings TEXT NOT NULL,
    metadata BLOB,
    version INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    UNIQUE (realm_id, id),
    FOREIGN KEY (realm_id, product_id) REFERENCES products (realm_id, id)
  ) STRICT`,
  'CREATE UNIQUE INDEX policies_code ON policies (realm_id, code) WHERE deleted_at IS NULL',
  'CREATE INDEX policies_list ON policies (realm_id, seq) WHERE deleted_at IS NULL',
  'CREATE INDEX policies_due ON policies (realm_id, deleted_at) WHERE deleted_at IS NOT NULL',
  'CREATE INDEX policies_product ON policies (realm_id, product_id, seq)',
  `CREATE TABLE entitlements (
    seq INTEGER PRIMARY KEY,
    ${OWNED},
    id TEXT NOT NULL,
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    metadata BLOB,
    version INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    UNIQUE (realm_id, id)
  ) STRICT`,
  'CREATE UNIQUE INDEX entitlements_code ON entitlements (realm_id, code) WHERE deleted_at IS NULL',
  'CREATE INDEX entitlements_list ON entitlements (realm_id, seq) WHERE deleted_at IS NULL',
  'CREATE INDEX entitlements_due ON entitlements (realm_id, deleted_at) WHERE deleted_at IS NOT NULL',
  `CREATE TABLE policy_entitlements (
    ${OWNED},
    policy_id TEXT NOT NULL,
    entitlement_id TEXT NOT NULL,
    PRIMARY KEY (realm_id, policy_id, entitlement_id),
    FOREIGN KEY (realm_id, policy_id) REFERENCES policies (realm_id, id),
    FOREIGN KEY (realm_id, entitlement_id) REFERENCES entitlements (realm_id, id)
  ) STRICT, WITHOUT ROWID`,
  'CREATE INDEX policy_entitlements_entitlement ON policy_entitlements (realm_id, entitlement_id)',
];

const ACCESS_TABLES = [
  `CREATE TABLE api_keys (
    seq INTEGER PRIMARY KEY,
    ${OWNED},
    id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('sk', 'pk')),
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    allowed_cidrs TEXT NOT NULL,
    tier TEXT NOT NULL,
    public_id TEXT NOT NULL,
    secret_hash BLOB NOT NULL,
    previous_secret_hash BLOB,
    previous_valid_until INTEGER,
    index_version INTEGER NOT NULL,
    last_four TEXT NOT NULL,
    issue_limit_per_day INTEGER,
    issue_limit_total INTEGER,
    allowed_products TEXT NOT NULL DEFAULT '[]',
    cascade INTEGER NOT NULL DEFAULT 0,
    created_by TEXT NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER,
    rotated_at INTEGER NOT NULL,
    version INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (realm_id, id)
  ) STRICT`,
  'CREATE INDEX api_keys_list ON api_keys (realm_id, seq)',
  'CREATE INDEX api_keys_maker ON api_keys (realm_id, created_by)',
  `CREATE TABLE api_key_usage (
    ${OWNED},
    api_key_id TEXT NOT NULL,
    last_used_at INTEGER,
    last_used_from BLOB,
    issued_day INTEGER NOT NULL DEFAULT 0,
    issued_count INTEGER NOT NULL DEFAULT 0,
    issued_total INTEGER NOT NULL DEFAULT 0,
    alerted_day INTEGER NOT NULL DEFAULT 0,
    alerted_total INTEGER NOT NULL DEFAULT 0,
    reminded_at INTEGER,
    announced_days INTEGER,
    PRIMARY KEY (realm_id, api_key_id),
    FOREIGN KEY (realm_id, api_key_id) REFERENCES api_keys (realm_id, id)
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE idempotency (
    ${OWNED},
    principal TEXT NOT NULL,
    route TEXT NOT NULL,
    key_hash BLOB NOT NULL,
    body_digest BLOB NOT NULL,
    status INTEGER NOT NULL,
    answer BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (realm_id, principal, route, key_hash)
  ) STRICT`,
  'CREATE INDEX idempotency_age ON idempotency (realm_id, created_at)',
  `CREATE TABLE events (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    ${OWNED},
    id TEXT NOT NULL,
    type TEXT NOT NULL,
    body BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (realm_id, id)
  ) STRICT`,
  'CREATE INDEX events_realm ON events (realm_id, position)',
  'CREATE INDEX events_type ON events (realm_id, type, position)',
];

/** Every table of the first release. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const statements = [
    ...APPLIANCE_TABLES,
    ...LEDGER_TABLES,
    ...CATALOGUE_TABLES,
    ...LICENSE_TABLES,
    ...MACHINE_TABLES,
    ...ACCESS_TABLES,
    ...USAGE_TABLES,
    // The system realm: owner of what belongs to the appliance itself.
    "INSERT INTO realms (realm_id, tenant_id, environment) VALUES (0, NULL, 'system')",
  ];
  for (const statement of statements) await sql.raw(statement).execute(db);
}
