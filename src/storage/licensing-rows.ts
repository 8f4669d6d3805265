import type { Generated } from 'kysely';
import type { RealmId } from './realm-scope.ts';

/** A row of `realm_counters`. */
export interface RealmCountersRow {
  realm_id: RealmId;
  licenses: Generated<number>;
  machines: Generated<number>;
  suspended: Generated<number>;
  expired: Generated<number>;
  revoked: Generated<number>;
  banned: Generated<number>;
  dead: Generated<number>;
  records: Generated<number>;
  files_day: Generated<number>;
  files_today: Generated<number>;
  files_told: Generated<number>;
  revocations: Generated<number>;
}

/** A row of `product_seats`. */
export interface ProductSeatsRow {
  realm_id: RealmId;
  product_id: string;
  seats: number;
}

/** A row of `day_counts`. */
export interface DayCountsRow {
  realm_id: RealmId;
  kind: 'activation' | 'validation' | 'file';
  day: number;
  name: string;
  count: number;
}

/** A row of `licenses`. */
export interface LicensesRow {
  seq: Generated<number>;
  realm_id: RealmId;
  id: string;
  product_id: string;
  policy_id: string;
  status: 'active' | 'suspended' | 'expired' | 'revoked' | 'banned';
  /** When it came into this state; null: it has been in it since it was created. */
  status_since: number | null;
  expires_at: number | null;
  starts_on: 'activation' | 'validation' | null;
  lapsed_at: number | null;
  max_machines_override: number | null;
  max_uses_override: number | null;
  key_hash: Buffer;
  key_sealed: Buffer | null;
  key_masked: string;
  key_origin: 'generated' | 'imported';
  weak_key: Generated<number>;
  personal: Buffer | null;
  user_email_index: Buffer | null;
  first_activated_at: number | null;
  first_validated_at: number | null;
  version: Generated<number>;
  created_at: number;
  updated_at: number;
  deleted_at: number | null;
  kept_until: number | null;
}

/** A row of `metadata_keys`. */
export interface MetadataKeysRow {
  realm_id: RealmId;
  product_id: string;
  name: string;
  state: 'building' | 'ready' | 'removing';
  reached: Generated<number>;
}

/** A row of `license_metadata`. */
export interface LicenseMetadataRow {
  realm_id: RealmId;
  license_id: string;
  name: string;
  value_hash: Buffer;
  license_seq: number;
}

/** A row of `license_entitlements`. */
export interface LicenseEntitlementsRow {
  realm_id: RealmId;
  license_id: string;
  entitlement_id: string;
  expires_at: number | null;
}

/** A row of `license_seats`. */
export interface LicenseSeatsRow {
  realm_id: RealmId;
  license_id: string;
  seats: Generated<number>;
  fingerprints: Generated<number>;
}

/** A row of `license_user_seats`. */
export interface LicenseUserSeatsRow {
  realm_id: RealmId;
  license_id: string;
  user_index: Buffer;
  seats: number;
}

/** A row of `license_fingerprints`. */
export interface LicenseFingerprintsRow {
  realm_id: RealmId;
  license_id: string;
  fingerprint_hash: Buffer;
  index_version: number;
}

/** A row of `license_usage`. */
export interface LicenseUsageRow {
  realm_id: RealmId;
  license_id: string;
  uses: Generated<number>;
  validations: Generated<number>;
  last_validated_at: number | null;
  last_checked_out_at: number | null;
  files_until: Generated<number>;
  notice_due: number | null;
  files_day: Generated<number>;
  files_today: Generated<number>;
  files_told: Generated<number>;
  changes_day: Generated<number>;
  changes_today: Generated<number>;
  changes_told: Generated<number>;
}

/** A row of `machines`. */
export interface MachinesRow {
  seq: Generated<number>;
  realm_id: RealmId;
  id: string;
  license_id: string;
  /** Of its licence. */
  product_id: string;
  fingerprint_hash: Buffer;
  fingerprint_sealed: Buffer;
  index_version: number;
  public_key: Buffer | null;
  alive: Generated<number>;
  platform: string | null;
  cores: number | null;
  personal: Buffer | null;
  user_index: Buffer | null;
  seat_held_until: number | null;
  version: Generated<number>;
  created_at: number;
  updated_at: number;
  deleted_at: number | null;
  deleted_with_license: number | null;
  purged_at: number | null;
}

/** A row of `machine_components`. */
export interface MachineComponentsRow {
  realm_id: RealmId;
  machine_id: string;
  name: string;
  value_hash: Buffer;
  index_version: number;
  license_id: string;
  living: Generated<number>;
}

/** A row of `machine_usage`. */
export interface MachineUsageRow {
  realm_id: RealmId;
  machine_id: string;
  license_id: string;
  heartbeat_due: number | null;
  last_heartbeat_at: number | null;
  last_validated_at: number | null;
  last_checked_out_at: number | null;
}

/** A row of `issued_files`. */
export interface IssuedFilesRow {
  seq: Generated<number>;
  realm_id: RealmId;
  id: string;
  kind: 'license' | 'machine' | 'token' | 'signed-key';
  branch: string;
  branch_seq: number;
  license_id: string;
  machine_id: string | null;
  fingerprint_hash: Buffer | null;
  kid: string;
  digest: Buffer;
  issued_at: number;
  expires_at: number;
}

/** A row of `revocation_lists`. */
export interface RevocationListsRow {
  realm_id: RealmId;
  number: number;
  min_epoch: number;
  issued_at: number;
  basis: string;
  jws: string;
}

/** A row of `file_epochs`. */
export interface FileEpochsRow {
  realm_id: RealmId;
  number: number;
  files_until: number;
}
