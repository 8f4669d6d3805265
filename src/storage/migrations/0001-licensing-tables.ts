/** Reference to the realm that owns a row. Deleting a realm is erasure and goes through its own operation. */
export const OWNED = 'realm_id INTEGER NOT NULL REFERENCES realms (realm_id)';

/** Licences, their counters and entitlements. */
export const LICENSE_TABLES = [
  // What a tenant's limits are compared with: living licences and machines, counted by one conditional statement each;
  // how many of them are not in the state that they begin in; rows of the tables that storage counts (kept-rows.ts), with
  // no CHECK: a commit of everybody must not fail for a count; files issued on a day, while the tenant has a limit,
  // and the day on which the last refusal by it was told; how often something came onto the revocation list.
  `CREATE TABLE realm_counters (
    ${OWNED},
    licenses INTEGER NOT NULL DEFAULT 0 CHECK (licenses >= 0),
    machines INTEGER NOT NULL DEFAULT 0 CHECK (machines >= 0),
    suspended INTEGER NOT NULL DEFAULT 0 CHECK (suspended >= 0),
    expired INTEGER NOT NULL DEFAULT 0 CHECK (expired >= 0),
    revoked INTEGER NOT NULL DEFAULT 0 CHECK (revoked >= 0),
    banned INTEGER NOT NULL DEFAULT 0 CHECK (banned >= 0),
    dead INTEGER NOT NULL DEFAULT 0 CHECK (dead >= 0),
    records INTEGER NOT NULL DEFAULT 0,
    files_day INTEGER NOT NULL DEFAULT 0,
    files_today INTEGER NOT NULL DEFAULT 0,
    files_told INTEGER NOT NULL DEFAULT 0,
    revocations INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (realm_id)
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE product_seats (
    ${OWNED},
    product_id TEXT NOT NULL,
    seats INTEGER NOT NULL CHECK (seats >= 0),
    PRIMARY KEY (realm_id, product_id),
    FOREIGN KEY (realm_id, product_id) REFERENCES products (realm_id, id)
  ) STRICT, WITHOUT ROWID`,
  // Days since the epoch, UTC: when a machine was activated, a licence validated (name: the code), a file expires.
  `CREATE TABLE day_counts (
    ${OWNED},
    kind TEXT NOT NULL CHECK (kind IN ('activation', 'validation', 'file')),
    day INTEGER NOT NULL,
    name TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (realm_id, kind, day, name)
  ) STRICT, WITHOUT ROWID`,
  `CREATE TABLE licenses (
    seq INTEGER PRIMARY KEY,
    ${OWNED},
    id TEXT NOT NULL,
    product_id TEXT NOT NULL,
    policy_id TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'suspended', 'expired', 'revoked', 'banned')),
    status_since INTEGER,
    expires_at INTEGER,
    starts_on TEXT CHECK (starts_on IN ('activation', 'validation')),
    lapsed_at INTEGER,
    max_machines_override INTEGER,
    max_uses_override INTEGER,
    key_hash BLOB NOT NULL,
    key_sealed BLOB,
    key_masked TEXT NOT NULL,
    key_origin TEXT NOT NULL CHECK (key_origin IN ('generated', 'imported')),
    weak_key INTEGER NOT NULL DEFAULT 0,
    personal BLOB,
    user_email_index BLOB,
    first_activated_at INTEGER,
    first_validated_at INTEGER,
    version INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    kept_until INTEGER,
    UNIQUE (realm_id, id),
    UNIQUE (realm_id, key_hash),
    FOREIGN KEY (realm_id, product_id) REFERENCES products (realm_id, id),
    FOREIGN KEY (realm_id, policy_id) REFERENCES policies (realm_id, id)
  ) STRICT`,
  'CREATE INDEX licenses_list ON licenses (realm_id, seq) WHERE deleted_at IS NULL',
  'CREATE INDEX licenses_product ON licenses (realm_id, product_id, seq)',
  // Lists of keys that are limited to products are merged of the lists of each: every order that they can have, by product.
  `CREATE INDEX licenses_product_status ON licenses (realm_id, product_id, status, seq)
    WHERE deleted_at IS NULL`,
  `CREATE INDEX licenses_product_expiry ON licenses (realm_id, product_id, expires_at, seq)
    WHERE deleted_at IS NULL`,
  'CREATE INDEX licenses_policy ON licenses (realm_id, policy_id, seq)',
  'CREATE INDEX licenses_status ON licenses (realm_id, status, seq)',
  'CREATE INDEX licenses_email ON licenses (realm_id, user_email_index) WHERE user_email_index IS NOT NULL',
  `CREATE INDEX licenses_expiry ON licenses (realm_id, status, expires_at)
    WHERE deleted_at IS NULL AND expires_at IS NOT NULL`,
  'CREATE INDEX licenses_expiry_list ON licenses (realm_id, expires_at, seq) WHERE deleted_at IS NULL',
  // Deleted ones: to be listed, to be purged when their time has come, and what is kept of them for files still out.
  `CREATE INDEX licenses_deleted ON licenses (realm_id, seq)
    WHERE deleted_at IS NOT NULL AND kept_until IS NULL`,
  `CREATE INDEX licenses_due ON licenses (realm_id, deleted_at)
    WHERE deleted_at IS NOT NULL AND kept_until IS NULL`,
  'CREATE INDEX licenses_kept ON licenses (realm_id, kept_until) WHERE kept_until IS NOT NULL',
  // Keys of metadata that a product declares indexed, and how far the licences it had are indexed by them.
  `CREATE TABLE metadata_keys (
    ${OWNED},
    product_id TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('building', 'ready', 'removing')),
    reached INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (realm_id, product_id, name),
    FOREIGN KEY (realm_id, product_id) REFERENCES products (realm_id, id)
  ) STRICT, WITHOUT ROWID`,
  // Metadata is sealed: what is looked for is a keyed digest of name and value.
  `CREATE TABLE license_metadata (
    ${OWNED},
    license_id TEXT NOT NULL,
    name TEXT NOT NULL,
    value_hash BLOB NOT NULL,
    license_seq INTEGER NOT NULL,
    PRIMARY KEY (realm_id, license_id, name),
    FOREIGN KEY (realm_id, license_id) REFERENCES licenses (realm_id, id)
  ) STRICT, WITHOUT ROWID`,
  'CREATE INDEX license_metadata_value ON license_metadata (realm_id, value_hash, license_seq)',
  // Expired licences alone: those under a policy that revokes are looked for by when they expired.
  `CREATE INDEX licenses_lapsed ON licenses (realm_id, policy_id, lapsed_at)
    WHERE lapsed_at IS NOT NULL`,
  `CREATE TABLE license_entitlements (
    ${OWNED},
    license_id TEXT NOT NULL,
    entitlement_id TEXT NOT NULL,
    expires_at INTEGER,
    PRIMARY KEY (realm_id, license_id, entitlement_id),
    FOREIGN KEY (realm_id, license_id) REFERENCES licenses (realm_id, id),
    FOREIGN KEY (realm_id, entitlement_id) REFERENCES entitlements (realm_id, id)
  ) STRICT, WITHOUT ROWID`,
  'CREATE INDEX license_entitlements_entitlement ON license_entitlements (realm_id, entitlement_id)',
  // One row per licence: a seat is claimed by one conditional UPDATE, never by counting machines.
  `CREATE TABLE license_seats (
    ${OWNED},
    license_id TEXT NOT NULL,
    seats INTEGER NOT NULL DEFAULT 0 CHECK (seats >= 0),
    fingerprints INTEGER NOT NULL DEFAULT 0 CHECK (fingerprints >= 0),
    PRIMARY KEY (realm_id, license_id),
    FOREIGN KEY (realm_id, license_id) REFERENCES licenses (realm_id, id)
  ) STRICT, WITHOUT ROWID`,
  // The same seats by the user of their machine (a keyed digest of the address); a user without a seat has no row.
  `CREATE TABLE license_user_seats (
    ${OWNED},
    license_id TEXT NOT NULL,
    user_index BLOB NOT NULL,
    seats INTEGER NOT NULL CHECK (seats > 0),
    PRIMARY KEY (realm_id, license_id, user_index),
    FOREIGN KEY (realm_id, license_id) REFERENCES licenses (realm_id, id)
  ) STRICT, WITHOUT ROWID`,
  // Every fingerprint a licence has ever had, counted in license_seats; machines may be purged, this stays.
  `CREATE TABLE license_fingerprints (
    ${OWNED},
    license_id TEXT NOT NULL,
    fingerprint_hash BLOB NOT NULL,
    index_version INTEGER NOT NULL,
    PRIMARY KEY (realm_id, license_id, fingerprint_hash),
    FOREIGN KEY (realm_id, license_id) REFERENCES licenses (realm_id, id)
  ) STRICT, WITHOUT ROWID`,
  // Days since the epoch, UTC: on which its holder had `files_today` files and made `changes_today` changes of its machines,
  // and on which his last refusal was told. `files_until`: when the last of its files expires.
  `CREATE TABLE license_usage (
    ${OWNED},
    license_id TEXT NOT NULL,
    uses INTEGER NOT NULL DEFAULT 0,
    validations INTEGER NOT NULL DEFAULT 0,
    last_validated_at INTEGER,
    last_checked_out_at INTEGER,
    files_until INTEGER NOT NULL DEFAULT 0,
    notice_due INTEGER,
    files_day INTEGER NOT NULL DEFAULT 0,
    files_today INTEGER NOT NULL DEFAULT 0,
    files_told INTEGER NOT NULL DEFAULT 0,
    changes_day INTEGER NOT NULL DEFAULT 0,
    changes_today INTEGER NOT NULL DEFAULT 0,
    changes_told INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (realm_id, license_id),
    FOREIGN KEY (realm_id, license_id) REFERENCES licenses (realm_id, id)
  ) STRICT, WITHOUT ROWID`,
  'CREATE INDEX license_usage_notice ON license_usage (realm_id, notice_due) WHERE notice_due IS NOT NULL',
];

/** Machines, and the files issued for them. */
export const MACHINE_TABLES = [
  `CREATE TABLE machines (
    seq INTEGER PRIMARY KEY,
    ${OWNED},
    id TEXT NOT NULL,
    license_id TEXT NOT NULL,
    product_id TEXT NOT NULL,
    fingerprint_hash BLOB NOT NULL,
    fingerprint_sealed BLOB NOT NULL,
    index_version INTEGER NOT NULL,
    public_key BLOB,
    alive INTEGER NOT NULL DEFAULT 1,
    platform TEXT,
    cores INTEGER,
    personal BLOB,
    user_index BLOB,
    seat_held_until INTEGER,
    version INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    deleted_with_license INTEGER,
    purged_at INTEGER,
    UNIQUE (realm_id, id),
    FOREIGN KEY (realm_id, license_id) REFERENCES licenses (realm_id, id)
  ) STRICT`,
  `CREATE UNIQUE INDEX machines_license ON machines (realm_id, license_id, fingerprint_hash)
    WHERE deleted_at IS NULL`,
  'CREATE INDEX machines_fingerprint ON machines (realm_id, fingerprint_hash) WHERE deleted_at IS NULL',
  'CREATE INDEX machines_list ON machines (realm_id, seq) WHERE deleted_at IS NULL',
  'CREATE INDEX machines_license_list ON machines (realm_id, license_id, seq) WHERE deleted_at IS NULL',
  // A licence never changes its product: keys that are limited to products list by it.
  'CREATE INDEX machines_product ON machines (realm_id, product_id, seq) WHERE deleted_at IS NULL',
  `CREATE INDEX machines_former ON machines (realm_id, license_id, fingerprint_hash)
    WHERE deleted_at IS NOT NULL`,
  `CREATE INDEX machines_due ON machines (realm_id, deleted_at)
    WHERE deleted_at IS NOT NULL AND purged_at IS NULL AND deleted_with_license IS NULL`,
  // A removed machine keeps its seat until the newest file it holds has expired.
  `CREATE INDEX machines_held ON machines (realm_id, seat_held_until)
    WHERE seat_held_until IS NOT NULL`,
  `CREATE INDEX machines_license_held ON machines (realm_id, license_id, seat_held_until)
    WHERE seat_held_until IS NOT NULL`,
  `CREATE TABLE machine_components (
    ${OWNED},
    machine_id TEXT NOT NULL,
    name TEXT NOT NULL,
    value_hash BLOB NOT NULL,
    index_version INTEGER NOT NULL,
    license_id TEXT NOT NULL,
    living INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (realm_id, machine_id, name),
    FOREIGN KEY (realm_id, machine_id) REFERENCES machines (realm_id, id)
  ) STRICT, WITHOUT ROWID`,
  // Machines are found by a component within their licence only; those that were removed are not found.
  `CREATE INDEX machine_components_value ON machine_components (realm_id, license_id, value_hash)
    WHERE living = 1`,
  `CREATE TABLE machine_usage (
    ${OWNED},
    machine_id TEXT NOT NULL,
    license_id TEXT NOT NULL,
    heartbeat_due INTEGER,
    last_heartbeat_at INTEGER,
    last_validated_at INTEGER,
    last_checked_out_at INTEGER,
    PRIMARY KEY (realm_id, machine_id),
    FOREIGN KEY (realm_id, machine_id) REFERENCES machines (realm_id, id)
  ) STRICT, WITHOUT ROWID`,
  'CREATE INDEX machine_usage_due ON machine_usage (realm_id, heartbeat_due) WHERE heartbeat_due IS NOT NULL',
  `CREATE INDEX machine_usage_license_due ON machine_usage (realm_id, license_id, heartbeat_due)
    WHERE heartbeat_due IS NOT NULL`,
  `CREATE TABLE issued_files (
    seq INTEGER PRIMARY KEY,
    ${OWNED},
    id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('license', 'machine', 'token', 'signed-key')),
    branch TEXT NOT NULL,
    branch_seq INTEGER NOT NULL,
    license_id TEXT NOT NULL,
    machine_id TEXT,
    fingerprint_hash BLOB,
    kid TEXT NOT NULL,
    digest BLOB NOT NULL,
    issued_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    UNIQUE (realm_id, id),
    UNIQUE (branch, branch_seq),
    FOREIGN KEY (realm_id, license_id) REFERENCES licenses (realm_id, id)
  ) STRICT`,
  'CREATE INDEX issued_files_license ON issued_files (realm_id, license_id, seq)',
  // A machine that comes back under its fingerprint is a new row; the files of the old one are still on it.
  `CREATE INDEX issued_files_fingerprint ON issued_files (realm_id, license_id, fingerprint_hash, expires_at)
    WHERE fingerprint_hash IS NOT NULL`,
  'CREATE INDEX issued_files_expiry ON issued_files (realm_id, expires_at)',
  // The newest list of each realm, as it was given out; made from state whenever `basis` or its age says so.
  `CREATE TABLE revocation_lists (
    ${OWNED},
    number INTEGER NOT NULL,
    min_epoch INTEGER NOT NULL,
    issued_at INTEGER NOT NULL,
    basis TEXT NOT NULL,
    jws TEXT NOT NULL,
    PRIMARY KEY (realm_id)
  ) STRICT`,
  // Until when the files live that name a list by its number: epochs below all of these can be refused.
  `CREATE TABLE file_epochs (
    ${OWNED},
    number INTEGER NOT NULL,
    files_until INTEGER NOT NULL,
    PRIMARY KEY (realm_id, number)
  ) STRICT, WITHOUT ROWID`,
];
