import type { RealmId } from '../../storage/realm-scope.ts';
import { type QueryBuilder, statement } from '../../storage/statement.ts';
import type { RealmReader } from '../../storage/tx.ts';
import type { LicenseSnapshot } from './license.ts';

/** Columns of one snapshot; every read of licences answers these. */
const SNAPSHOT = [
  'l.seq as seq',
  'l.id as id',
  'l.product_id as productId',
  'l.policy_id as policyId',
  'l.status as status',
  'l.status_since as statusSince',
  'l.expires_at as expiresAt',
  'l.starts_on as startsOn',
  'l.max_machines_override as maxMachinesOverride',
  'l.max_uses_override as maxUsesOverride',
  'l.key_sealed as keySealed',
  'l.key_masked as keyMasked',
  'l.key_origin as keyOrigin',
  'l.weak_key as weakKey',
  'l.personal as personal',
  'l.first_activated_at as firstActivatedAt',
  'l.first_validated_at as firstValidatedAt',
  'l.version as version',
  'l.created_at as createdAt',
  'l.updated_at as updatedAt',
  's.seats as seats',
  'u.uses as uses',
  'u.last_validated_at as lastValidatedAt',
  'u.last_checked_out_at as lastCheckedOutAt',
  'pol.version as policyVersion',
  'prod.version as productVersion',
  'prod.code as productCode',
  'prod.signing_kid as signingKid',
] as const;

/** Living licences of the realm with everything a snapshot tells; the start of every query that answers snapshots. */
export function snapshots(db: QueryBuilder, p: { readonly realm: RealmId }) {
  return storedLicenses(db, p).where('l.deleted_at', 'is', null);
}

/** The same of all that are stored, the deleted ones too. */
export function storedLicenses(db: QueryBuilder, p: { readonly realm: RealmId }) {
  return db
    .selectFrom('licenses as l')
    .innerJoin('license_seats as s', (join) =>
      join.onRef('s.realm_id', '=', 'l.realm_id').onRef('s.license_id', '=', 'l.id'),
    )
    .innerJoin('license_usage as u', (join) =>
      join.onRef('u.realm_id', '=', 'l.realm_id').onRef('u.license_id', '=', 'l.id'),
    )
    .innerJoin('policies as pol', (join) =>
      join.onRef('pol.realm_id', '=', 'l.realm_id').onRef('pol.id', '=', 'l.policy_id'),
    )
    .innerJoin('products as prod', (join) =>
      join.onRef('prod.realm_id', '=', 'l.realm_id').onRef('prod.id', '=', 'l.product_id'),
    )
    .select(SNAPSHOT)
    .where('l.realm_id', '=', p.realm);
}

const ONE = statement<{ id: string }>()((db, p) => snapshots(db, p).where('l.id', '=', p.id));

/** The living licence with this id, with its counters and the versions it rests on. One statement. */
export function findLicense(reader: RealmReader, id: string): LicenseSnapshot | undefined {
  return reader.get(ONE, { id });
}
