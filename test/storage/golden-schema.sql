CREATE TABLE api_key_directory (
  public_id_hash BLOB PRIMARY KEY,
  index_version INTEGER NOT NULL,
  realm_id INTEGER NOT NULL,
  api_key_id TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

CREATE TABLE api_key_usage (
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
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
  ) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
  seq INTEGER PRIMARY KEY,
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
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
  ) STRICT;

CREATE TABLE clock_mark (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  trusted INTEGER NOT NULL,
  wall INTEGER NOT NULL,
  boot_id TEXT NOT NULL,
  boottime INTEGER NOT NULL,
  suspect TEXT,
  quiet_since INTEGER NOT NULL
  ) STRICT;

CREATE TABLE data_key_usage (
  realm_id INTEGER NOT NULL,
  version INTEGER NOT NULL,
  reserved INTEGER NOT NULL,
  PRIMARY KEY (realm_id, version)
  ) STRICT, WITHOUT ROWID;

CREATE TABLE data_keys (
  realm_id INTEGER NOT NULL,
  version INTEGER NOT NULL,
  wrapped BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (realm_id, version)
  ) STRICT, WITHOUT ROWID;

CREATE TABLE day_counts (
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
  kind TEXT NOT NULL CHECK (kind IN ('activation', 'validation', 'file')),
  day INTEGER NOT NULL,
  name TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (realm_id, kind, day, name)
  ) STRICT, WITHOUT ROWID;

CREATE TABLE entitlements (
  seq INTEGER PRIMARY KEY,
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
  id TEXT NOT NULL,
  code TEXT NOT NULL,
  name TEXT NOT NULL,
  metadata BLOB,
  version INTEGER NOT NULL DEFAULT 1,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  deleted_at INTEGER,
  UNIQUE (realm_id, id)
  ) STRICT;

CREATE TABLE events (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
  id TEXT NOT NULL,
  type TEXT NOT NULL,
  body BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  UNIQUE (realm_id, id)
  ) STRICT;

CREATE TABLE file_epochs (
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
  number INTEGER NOT NULL,
  files_until INTEGER NOT NULL,
  PRIMARY KEY (realm_id, number)
  ) STRICT, WITHOUT ROWID;

CREATE TABLE idempotency (
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
  principal TEXT NOT NULL,
  route TEXT NOT NULL,
  key_hash BLOB NOT NULL,
  body_digest BLOB NOT NULL,
  status INTEGER NOT NULL,
  answer BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (realm_id, principal, route, key_hash)
  ) STRICT;

CREATE TABLE idempotency_usage (
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
  principal TEXT NOT NULL,
  answers INTEGER NOT NULL DEFAULT 0 CHECK (answers >= 0),
  bytes INTEGER NOT NULL DEFAULT 0 CHECK (bytes >= 0),
  PRIMARY KEY (realm_id, principal)
  ) STRICT, WITHOUT ROWID;

CREATE TABLE index_keys (
  realm_id INTEGER NOT NULL,
  version INTEGER NOT NULL,
  wrapped BLOB NOT NULL,
  created_at INTEGER NOT NULL,
  PRIMARY KEY (realm_id, version)
  ) STRICT, WITHOUT ROWID;

CREATE TABLE issued_files (
  seq INTEGER PRIMARY KEY,
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
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
  ) STRICT;

CREATE TABLE job_state (
  job TEXT PRIMARY KEY,
  state TEXT NOT NULL,
  updated_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

CREATE TABLE ledger_checkpoints (
  size INTEGER PRIMARY KEY,
  note TEXT NOT NULL,
  signed_at INTEGER NOT NULL
  ) STRICT;

CREATE TABLE ledger_entries (
  position INTEGER PRIMARY KEY,
  realm_id INTEGER,
  bytes BLOB NOT NULL,
  hash BLOB NOT NULL
  ) STRICT;

CREATE TABLE ledger_private (
  position INTEGER PRIMARY KEY,
  realm_id INTEGER NOT NULL,
  salt BLOB NOT NULL,
  sealed BLOB NOT NULL
  ) STRICT;

CREATE TABLE ledger_subjects (
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
  subject TEXT NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (realm_id, subject, position)
  ) STRICT, WITHOUT ROWID;

CREATE TABLE ledger_tiles (
  level INTEGER NOT NULL,
  number INTEGER NOT NULL,
  hashes BLOB NOT NULL,
  PRIMARY KEY (level, number)
  ) STRICT;

CREATE TABLE license_directory (
  key_hash BLOB NOT NULL,
  index_version INTEGER NOT NULL,
  realm_id INTEGER NOT NULL,
  license_id TEXT NOT NULL,
  purged_at INTEGER,
  PRIMARY KEY (key_hash, realm_id)
  ) STRICT, WITHOUT ROWID;

CREATE TABLE license_entitlements (
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
  license_id TEXT NOT NULL,
  entitlement_id TEXT NOT NULL,
  expires_at INTEGER,
  PRIMARY KEY (realm_id, license_id, entitlement_id),
  FOREIGN KEY (realm_id, license_id) REFERENCES licenses (realm_id, id),
  FOREIGN KEY (realm_id, entitlement_id) REFERENCES entitlements (realm_id, id)
  ) STRICT, WITHOUT ROWID;

CREATE TABLE license_fingerprints (
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
  license_id TEXT NOT NULL,
  fingerprint_hash BLOB NOT NULL,
  index_version INTEGER NOT NULL,
  PRIMARY KEY (realm_id, license_id, fingerprint_hash),
  FOREIGN KEY (realm_id, license_id) REFERENCES licenses (realm_id, id)
  ) STRICT, WITHOUT ROWID;

CREATE TABLE license_metadata (
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
  license_id TEXT NOT NULL,
  name TEXT NOT NULL,
  value_hash BLOB NOT NULL,
  license_seq INTEGER NOT NULL,
  PRIMARY KEY (realm_id, license_id, name),
  FOREIGN KEY (realm_id, license_id) REFERENCES licenses (realm_id, id)
  ) STRICT, WITHOUT ROWID;

CREATE TABLE license_seats (
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
  license_id TEXT NOT NULL,
  seats INTEGER NOT NULL DEFAULT 0 CHECK (seats >= 0),
  fingerprints INTEGER NOT NULL DEFAULT 0 CHECK (fingerprints >= 0),
  PRIMARY KEY (realm_id, license_id),
  FOREIGN KEY (realm_id, license_id) REFERENCES licenses (realm_id, id)
  ) STRICT, WITHOUT ROWID;

CREATE TABLE license_usage (
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
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
  ) STRICT, WITHOUT ROWID;

CREATE TABLE license_user_seats (
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
  license_id TEXT NOT NULL,
  user_index BLOB NOT NULL,
  seats INTEGER NOT NULL CHECK (seats > 0),
  PRIMARY KEY (realm_id, license_id, user_index),
  FOREIGN KEY (realm_id, license_id) REFERENCES licenses (realm_id, id)
  ) STRICT, WITHOUT ROWID;

CREATE TABLE licenses (
  seq INTEGER PRIMARY KEY,
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
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
  ) STRICT;

CREATE TABLE machine_components (
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
  machine_id TEXT NOT NULL,
  name TEXT NOT NULL,
  value_hash BLOB NOT NULL,
  index_version INTEGER NOT NULL,
  license_id TEXT NOT NULL,
  living INTEGER NOT NULL DEFAULT 1,
  PRIMARY KEY (realm_id, machine_id, name),
  FOREIGN KEY (realm_id, machine_id) REFERENCES machines (realm_id, id)
  ) STRICT, WITHOUT ROWID;

CREATE TABLE machine_usage (
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
  machine_id TEXT NOT NULL,
  license_id TEXT NOT NULL,
  heartbeat_due INTEGER,
  last_heartbeat_at INTEGER,
  last_validated_at INTEGER,
  last_checked_out_at INTEGER,
  PRIMARY KEY (realm_id, machine_id),
  FOREIGN KEY (realm_id, machine_id) REFERENCES machines (realm_id, id)
  ) STRICT, WITHOUT ROWID;

CREATE TABLE machines (
  seq INTEGER PRIMARY KEY,
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
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
  ) STRICT;

CREATE TABLE metadata_keys (
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
  product_id TEXT NOT NULL,
  name TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('building', 'ready', 'removing')),
  reached INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (realm_id, product_id, name),
  FOREIGN KEY (realm_id, product_id) REFERENCES products (realm_id, id)
  ) STRICT, WITHOUT ROWID;

CREATE TABLE policies (
  seq INTEGER PRIMARY KEY,
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
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
  ) STRICT;

CREATE TABLE policy_entitlements (
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
  policy_id TEXT NOT NULL,
  entitlement_id TEXT NOT NULL,
  PRIMARY KEY (realm_id, policy_id, entitlement_id),
  FOREIGN KEY (realm_id, policy_id) REFERENCES policies (realm_id, id),
  FOREIGN KEY (realm_id, entitlement_id) REFERENCES entitlements (realm_id, id)
  ) STRICT, WITHOUT ROWID;

CREATE TABLE product_seats (
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
  product_id TEXT NOT NULL,
  seats INTEGER NOT NULL CHECK (seats >= 0),
  PRIMARY KEY (realm_id, product_id),
  FOREIGN KEY (realm_id, product_id) REFERENCES products (realm_id, id)
  ) STRICT, WITHOUT ROWID;

CREATE TABLE products (
  seq INTEGER PRIMARY KEY,
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
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
  ) STRICT;

CREATE TABLE realm_counters (
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
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
  ) STRICT, WITHOUT ROWID;

CREATE TABLE realms (
  realm_id INTEGER PRIMARY KEY,
  tenant_id TEXT REFERENCES tenants (id),
  environment TEXT NOT NULL CHECK (environment IN ('live', 'test', 'system')),
  UNIQUE (tenant_id, environment)
  ) STRICT;

CREATE TABLE revocation_lists (
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
  number INTEGER NOT NULL,
  min_epoch INTEGER NOT NULL,
  issued_at INTEGER NOT NULL,
  basis TEXT NOT NULL,
  jws TEXT NOT NULL,
  PRIMARY KEY (realm_id)
  ) STRICT;

CREATE TABLE settings (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

CREATE TABLE signing_keys (
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
  ) STRICT;

CREATE TABLE tenants (
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
  ) STRICT;

CREATE TABLE usage_log (
  seq INTEGER PRIMARY KEY,
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
  principal TEXT NOT NULL,
  at INTEGER NOT NULL,
  route TEXT NOT NULL,
  status INTEGER NOT NULL,
  count INTEGER NOT NULL,
  address BLOB NOT NULL,
  subject BLOB,
  UNIQUE (realm_id, seq)
  ) STRICT;

CREATE TABLE usage_totals (
  realm_id INTEGER NOT NULL REFERENCES realms (realm_id),
  hour INTEGER NOT NULL,
  principal TEXT NOT NULL,
  route TEXT NOT NULL,
  status INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (realm_id, hour, principal, route, status)
  ) STRICT, WITHOUT ROWID;

CREATE TABLE write_probe (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  filler BLOB NOT NULL
  ) STRICT;

CREATE INDEX api_keys_list ON api_keys (realm_id, seq);

CREATE INDEX api_keys_maker ON api_keys (realm_id, created_by);

CREATE UNIQUE INDEX entitlements_code ON entitlements (realm_id, code) WHERE deleted_at IS NULL;

CREATE INDEX entitlements_due ON entitlements (realm_id, deleted_at) WHERE deleted_at IS NOT NULL;

CREATE INDEX entitlements_list ON entitlements (realm_id, seq) WHERE deleted_at IS NULL;

CREATE INDEX events_realm ON events (realm_id, position);

CREATE INDEX events_type ON events (realm_id, type, position);

CREATE INDEX idempotency_age ON idempotency (realm_id, created_at);

CREATE INDEX issued_files_expiry ON issued_files (realm_id, expires_at);

CREATE INDEX issued_files_fingerprint ON issued_files (realm_id, license_id, fingerprint_hash, expires_at)
  WHERE fingerprint_hash IS NOT NULL;

CREATE INDEX issued_files_license ON issued_files (realm_id, license_id, seq);

CREATE INDEX ledger_entries_realm ON ledger_entries (realm_id, position);

CREATE INDEX license_entitlements_entitlement ON license_entitlements (realm_id, entitlement_id);

CREATE INDEX license_metadata_value ON license_metadata (realm_id, value_hash, license_seq);

CREATE INDEX license_usage_notice ON license_usage (realm_id, notice_due) WHERE notice_due IS NOT NULL;

CREATE INDEX licenses_deleted ON licenses (realm_id, seq)
  WHERE deleted_at IS NOT NULL AND kept_until IS NULL;

CREATE INDEX licenses_due ON licenses (realm_id, deleted_at)
  WHERE deleted_at IS NOT NULL AND kept_until IS NULL;

CREATE INDEX licenses_email ON licenses (realm_id, user_email_index) WHERE user_email_index IS NOT NULL;

CREATE INDEX licenses_expiry ON licenses (realm_id, status, expires_at)
  WHERE deleted_at IS NULL AND expires_at IS NOT NULL;

CREATE INDEX licenses_expiry_list ON licenses (realm_id, expires_at, seq) WHERE deleted_at IS NULL;

CREATE INDEX licenses_kept ON licenses (realm_id, kept_until) WHERE kept_until IS NOT NULL;

CREATE INDEX licenses_lapsed ON licenses (realm_id, policy_id, lapsed_at)
  WHERE lapsed_at IS NOT NULL;

CREATE INDEX licenses_list ON licenses (realm_id, seq) WHERE deleted_at IS NULL;

CREATE INDEX licenses_policy ON licenses (realm_id, policy_id, seq);

CREATE INDEX licenses_product ON licenses (realm_id, product_id, seq);

CREATE INDEX licenses_product_expiry ON licenses (realm_id, product_id, expires_at, seq)
  WHERE deleted_at IS NULL;

CREATE INDEX licenses_product_status ON licenses (realm_id, product_id, status, seq)
  WHERE deleted_at IS NULL;

CREATE INDEX licenses_status ON licenses (realm_id, status, seq);

CREATE INDEX machine_components_value ON machine_components (realm_id, license_id, value_hash)
  WHERE living = 1;

CREATE INDEX machine_usage_due ON machine_usage (realm_id, heartbeat_due) WHERE heartbeat_due IS NOT NULL;

CREATE INDEX machine_usage_license_due ON machine_usage (realm_id, license_id, heartbeat_due)
  WHERE heartbeat_due IS NOT NULL;

CREATE INDEX machines_due ON machines (realm_id, deleted_at)
  WHERE deleted_at IS NOT NULL AND purged_at IS NULL AND deleted_with_license IS NULL;

CREATE INDEX machines_fingerprint ON machines (realm_id, fingerprint_hash) WHERE deleted_at IS NULL;

CREATE INDEX machines_former ON machines (realm_id, license_id, fingerprint_hash)
  WHERE deleted_at IS NOT NULL;

CREATE INDEX machines_held ON machines (realm_id, seat_held_until)
  WHERE seat_held_until IS NOT NULL;

CREATE UNIQUE INDEX machines_license ON machines (realm_id, license_id, fingerprint_hash)
  WHERE deleted_at IS NULL;

CREATE INDEX machines_license_held ON machines (realm_id, license_id, seat_held_until)
  WHERE seat_held_until IS NOT NULL;

CREATE INDEX machines_license_list ON machines (realm_id, license_id, seq) WHERE deleted_at IS NULL;

CREATE INDEX machines_list ON machines (realm_id, seq) WHERE deleted_at IS NULL;

CREATE INDEX machines_product ON machines (realm_id, product_id, seq) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX policies_code ON policies (realm_id, code) WHERE deleted_at IS NULL;

CREATE INDEX policies_due ON policies (realm_id, deleted_at) WHERE deleted_at IS NOT NULL;

CREATE INDEX policies_list ON policies (realm_id, seq) WHERE deleted_at IS NULL;

CREATE INDEX policies_product ON policies (realm_id, product_id, seq);

CREATE INDEX policy_entitlements_entitlement ON policy_entitlements (realm_id, entitlement_id);

CREATE UNIQUE INDEX products_code ON products (realm_id, code) WHERE deleted_at IS NULL;

CREATE INDEX products_due ON products (realm_id, deleted_at) WHERE deleted_at IS NOT NULL;

CREATE INDEX products_list ON products (realm_id, seq) WHERE deleted_at IS NULL;

CREATE UNIQUE INDEX signing_keys_active ON signing_keys (purpose, coalesce(tenant_id, ''), coalesce(realm_id, 0))
  WHERE state = 'active';

CREATE INDEX usage_log_principal ON usage_log (realm_id, principal, seq);

CREATE INDEX usage_log_subject ON usage_log (realm_id, subject, seq) WHERE subject IS NOT NULL;
