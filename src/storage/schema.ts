import type { Generated } from 'kysely';
import type {
  DayCountsRow,
  FileEpochsRow,
  IssuedFilesRow,
  LicenseEntitlementsRow,
  LicenseFingerprintsRow,
  LicenseMetadataRow,
  LicenseSeatsRow,
  LicenseUsageRow,
  LicenseUserSeatsRow,
  LicensesRow,
  MachineComponentsRow,
  MachineUsageRow,
  MachinesRow,
  MetadataKeysRow,
  ProductSeatsRow,
  RealmCountersRow,
  RevocationListsRow,
} from './licensing-rows.ts';
import type { RealmId } from './realm-scope.ts';

/**
 * The rows as the migrations leave them: INTEGER is number (times in milliseconds since the epoch, booleans 0 or 1),
 * TEXT string, BLOB Buffer. The golden-schema test compares this with a freshly migrated database.
 */
export interface Schema {
  settings: SettingsRow;
  tenants: TenantsRow;
  realms: RealmsRow;
  license_directory: LicenseDirectoryRow;
  api_key_directory: ApiKeyDirectoryRow;
  data_keys: DataKeysRow;
  data_key_usage: DataKeyUsageRow;
  index_keys: IndexKeysRow;
  signing_keys: SigningKeysRow;
  clock_mark: ClockMarkRow;
  write_probe: WriteProbeRow;
  job_state: JobStateRow;
  ledger_entries: LedgerEntriesRow;
  ledger_tiles: LedgerTilesRow;
  ledger_private: LedgerPrivateRow;
  ledger_subjects: LedgerSubjectsRow;
  ledger_checkpoints: LedgerCheckpointsRow;
  products: ProductsRow;
  policies: PoliciesRow;
  entitlements: EntitlementsRow;
  policy_entitlements: PolicyEntitlementsRow;
  realm_counters: RealmCountersRow;
  product_seats: ProductSeatsRow;
  day_counts: DayCountsRow;
  licenses: LicensesRow;
  license_entitlements: LicenseEntitlementsRow;
  license_seats: LicenseSeatsRow;
  license_user_seats: LicenseUserSeatsRow;
  license_fingerprints: LicenseFingerprintsRow;
  license_usage: LicenseUsageRow;
  metadata_keys: MetadataKeysRow;
  license_metadata: LicenseMetadataRow;
  machines: MachinesRow;
  machine_components: MachineComponentsRow;
  machine_usage: MachineUsageRow;
  issued_files: IssuedFilesRow;
  revocation_lists: RevocationListsRow;
  file_epochs: FileEpochsRow;
  api_keys: ApiKeysRow;
  api_key_usage: ApiKeyUsageRow;
  idempotency: IdempotencyRow;
  idempotency_usage: IdempotencyUsageRow;
  usage_log: UsageLogRow;
  usage_totals: UsageTotalsRow;
  events: EventsRow;
}

/** A row of `settings`. */
export interface SettingsRow {
  key: string;
  value: string;
}

/** A row of `tenants`. */
export interface TenantsRow {
  id: string;
  code: string;
  name: string;
  status: 'active' | 'suspended' | 'erased';
  tier: string;
  max_licenses: number | null;
  max_machines: number | null;
  max_files_per_day: number | null;
  max_records: number | null;
  contact: Buffer | null;
  bundle_seq: Generated<number>;
  trust_bundle: string | null;
  version: Generated<number>;
  created_at: number;
  updated_at: number;
}

/** A row of `realms`. */
export interface RealmsRow {
  realm_id: RealmId;
  tenant_id: string | null;
  environment: 'live' | 'test' | 'system';
}

/** A row of `license_directory`. */
export interface LicenseDirectoryRow {
  key_hash: Buffer;
  index_version: number;
  realm_id: RealmId;
  license_id: string;
  purged_at: number | null;
}

/** A row of `api_key_directory`. */
export interface ApiKeyDirectoryRow {
  public_id_hash: Buffer;
  index_version: number;
  realm_id: RealmId;
  api_key_id: string;
}

/** A row of `data_keys`. */
export interface DataKeysRow {
  realm_id: RealmId;
  version: number;
  wrapped: Buffer;
  created_at: number;
}

/** A row of `data_key_usage`. */
export interface DataKeyUsageRow {
  realm_id: RealmId;
  version: number;
  reserved: number;
}

/** A row of `index_keys`. */
export interface IndexKeysRow {
  realm_id: RealmId;
  version: number;
  wrapped: Buffer;
  created_at: number;
}

/** A row of `signing_keys`. */
export interface SigningKeysRow {
  kid: string;
  purpose: string;
  tenant_id: string | null;
  realm_id: RealmId | null;
  algorithm: string;
  state: 'pending' | 'active' | 'retiring' | 'retired' | 'compromised';
  custodian: string;
  reference: string;
  copy: string | null;
  public_key: Buffer;
  not_before: number;
  not_after: number | null;
  activates_at: number | null;
  compromised_since: number | null;
  version: Generated<number>;
  created_at: number;
  updated_at: number;
}

/** A row of `clock_mark`. */
export interface ClockMarkRow {
  id: number;
  trusted: number;
  wall: number;
  boot_id: string;
  boottime: number;
  suspect: string | null;
  quiet_since: number;
}

/** A row of `write_probe`. */
export interface WriteProbeRow {
  id: number;
  filler: Buffer;
}

/** A row of `job_state`. */
export interface JobStateRow {
  job: string;
  state: string;
  updated_at: number;
}

/** A row of `ledger_entries`. */
export interface LedgerEntriesRow {
  position: number;
  realm_id: RealmId | null;
  bytes: Buffer;
  hash: Buffer;
}

/** A row of `ledger_tiles`. */
export interface LedgerTilesRow {
  level: number;
  number: number;
  hashes: Buffer;
}

/** A row of `ledger_private`. */
export interface LedgerPrivateRow {
  position: number;
  realm_id: RealmId;
  salt: Buffer;
  sealed: Buffer;
}

/** A row of `ledger_subjects`. */
export interface LedgerSubjectsRow {
  realm_id: RealmId;
  subject: string;
  position: number;
}

/** A row of `ledger_checkpoints`. */
export interface LedgerCheckpointsRow {
  size: number;
  note: string;
  signed_at: number;
}

/** A row of `products`. */
export interface ProductsRow {
  seq: Generated<number>;
  realm_id: RealmId;
  id: string;
  code: string;
  name: string;
  description: string | null;
  key_prefix: string;
  signing_kid: string;
  metadata: Buffer | null;
  indexed_metadata: Generated<string>;
  version: Generated<number>;
  created_at: number;
  updated_at: number;
  deleted_at: number | null;
}

/** A row of `policies`. */
export interface PoliciesRow {
  seq: Generated<number>;
  realm_id: RealmId;
  id: string;
  product_id: string;
  name: string;
  code: string;
  template: string | null;
  template_version: number;
  settings: string;
  metadata: Buffer | null;
  version: Generated<number>;
  created_at: number;
  updated_at: number;
  deleted_at: number | null;
}

/** A row of `entitlements`. */
export interface EntitlementsRow {
  seq: Generated<number>;
  realm_id: RealmId;
  id: string;
  code: string;
  name: string;
  metadata: Buffer | null;
  version: Generated<number>;
  created_at: number;
  updated_at: number;
  deleted_at: number | null;
}

/** A row of `policy_entitlements`. */
export interface PolicyEntitlementsRow {
  realm_id: RealmId;
  policy_id: string;
  entitlement_id: string;
}

/** A row of `api_keys`. */
export interface ApiKeysRow {
  seq: Generated<number>;
  realm_id: RealmId;
  id: string;
  kind: 'sk' | 'pk';
  name: string;
  scopes: string;
  allowed_cidrs: string;
  tier: string;
  public_id: string;
  secret_hash: Buffer;
  previous_secret_hash: Buffer | null;
  previous_valid_until: number | null;
  index_version: number;
  last_four: string;
  issue_limit_per_day: number | null;
  issue_limit_total: number | null;
  allowed_products: Generated<string>;
  cascade: Generated<number>;
  created_by: string;
  expires_at: number | null;
  revoked_at: number | null;
  rotated_at: number;
  version: Generated<number>;
  created_at: number;
  updated_at: number;
}

/** A row of `api_key_usage`. */
export interface ApiKeyUsageRow {
  realm_id: RealmId;
  api_key_id: string;
  last_used_at: number | null;
  last_used_from: Buffer | null;
  issued_day: Generated<number>;
  issued_count: Generated<number>;
  issued_total: Generated<number>;
  alerted_day: Generated<number>;
  alerted_total: Generated<number>;
  reminded_at: number | null;
  announced_days: number | null;
}

/** A row of `idempotency`. */
export interface IdempotencyRow {
  realm_id: RealmId;
  principal: string;
  route: string;
  key_hash: Buffer;
  body_digest: Buffer;
  status: number;
  answer: Buffer;
  created_at: number;
}

/** A row of `idempotency_usage`. */
export interface IdempotencyUsageRow {
  realm_id: RealmId;
  principal: string;
  answers: Generated<number>;
  bytes: Generated<number>;
}

/** A row of `usage_log`. */
export interface UsageLogRow {
  seq: Generated<number>;
  realm_id: RealmId;
  principal: string;
  at: number;
  route: string;
  status: number;
  count: number;
  address: Buffer;
  subject: Buffer | null;
}

/** A row of `usage_totals`. */
export interface UsageTotalsRow {
  realm_id: RealmId;
  hour: number;
  principal: string;
  route: string;
  status: number;
  count: number;
}

/** A row of `events`. */
export interface EventsRow {
  position: Generated<number>;
  realm_id: RealmId;
  id: string;
  type: string;
  body: Buffer;
  created_at: number;
}
