import type { RealmId } from './realm-scope.ts';
import { statement } from './statement.ts';
import type { Reader, RealmReader, RealmTx } from './tx.ts';

/** A keyed digest under the appliance's index key, with the version of the key that made it. */
export interface DirectoryDigest {
  readonly version: number;
  /** HMAC-SHA-256, 32 bytes. */
  readonly digest: Buffer;
}

/** Where a licence key leads: a realm and a licence in it, nothing else. */
export interface FoundLicense {
  readonly realm: RealmId;
  readonly licenseId: string;
}

/** Where the public id of an API key leads: a realm and a key in it, nothing else. */
export interface FoundApiKey {
  readonly realm: RealmId;
  readonly apiKeyId: string;
}

const LICENSES_BY_KEY = statement<{ digest: Buffer }>()((db, p) =>
  db
    .selectFrom('license_directory')
    .select(['realm_id as realm', 'license_id as licenseId'])
    .where('key_hash', '=', p.digest)
    .where('purged_at', 'is', null)
    .orderBy('realm_id'),
);

const LICENSE_KEY = statement<{ digest: Buffer }>()((db, p) =>
  db
    .selectFrom('license_directory')
    .select('license_id as licenseId')
    .where('key_hash', '=', p.digest)
    .where('realm_id', '=', p.realm),
);

const RESERVE_LICENSE_KEY = statement<{ digest: Buffer; licenseId: string; now: number }>()((db, p) =>
  db
    .updateTable('license_directory')
    .set({ purged_at: p.now })
    .where('key_hash', '=', p.digest)
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId),
);

const INSERT_LICENSE_KEY = statement<DirectoryDigest & { licenseId: string }>()((db, p) =>
  db
    .insertInto('license_directory')
    .values({
      key_hash: p.digest,
      index_version: p.version,
      realm_id: p.realm,
      license_id: p.licenseId,
    })
    .onConflict((conflict) => conflict.doNothing()),
);

const DELETE_LICENSE_KEY = statement<{ digest: Buffer; licenseId: string }>()((db, p) =>
  db
    .deleteFrom('license_directory')
    .where('key_hash', '=', p.digest)
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId),
);

const API_KEY_BY_ID = statement<{ digest: Buffer }>()((db, p) =>
  db
    .selectFrom('api_key_directory')
    .select(['realm_id as realm', 'api_key_id as apiKeyId'])
    .where('public_id_hash', '=', p.digest),
);

const INSERT_API_KEY = statement<DirectoryDigest & { apiKeyId: string }>()((db, p) =>
  db.insertInto('api_key_directory').values({
    public_id_hash: p.digest,
    index_version: p.version,
    realm_id: p.realm,
    api_key_id: p.apiKeyId,
  }),
);

const DELETE_API_KEY = statement<{ digest: Buffer; apiKeyId: string }>()((db, p) =>
  db
    .deleteFrom('api_key_directory')
    .where('public_id_hash', '=', p.digest)
    .where('realm_id', '=', p.realm)
    .where('api_key_id', '=', p.apiKeyId),
);

/**
 * Where a licence key leads, by its digests under every live index key: one row per realm that holds the key, ordered
 * by realm. Several realms may have imported the same key; choosing among them is the caller's.
 */
export function findLicensesByKey(reader: Reader, digests: readonly DirectoryDigest[]): FoundLicense[] {
  const found = digests.flatMap(({ digest }) => reader.all(LICENSES_BY_KEY, { digest }));
  return digests.length > 1 ? oncePerLicense(found) : found;
}

/**
 * Names the licence that a key leads to in the realm of `tx`. False: the realm has a licence with this key, or had one
 * that is purged by now.
 */
export function insertLicenseKey(tx: RealmTx, digest: DirectoryDigest, licenseId: string): boolean {
  const { version } = digest;
  return tx.run(INSERT_LICENSE_KEY, { version, digest: digest.digest, licenseId }).changes === 1;
}

/** Whether the realm of `reader` has a licence with this key, or had one, purged or not. */
export function isLicenseKeyTaken(reader: RealmReader, digest: Buffer): boolean {
  return reader.get(LICENSE_KEY, { digest }) !== undefined;
}

/** From now on the key leads nowhere, and nobody else gets it: its licence is purged. */
export function reserveLicenseKey(
  tx: RealmTx,
  key: { readonly digest: Buffer; readonly licenseId: string },
  now: number,
): void {
  tx.run(RESERVE_LICENSE_KEY, { ...key, now });
}

/** Forgets where a key leads: the licence or its realm is erased. Returns whether there was such a row. */
export function deleteLicenseKey(tx: RealmTx, digest: Buffer, licenseId: string): boolean {
  return tx.run(DELETE_LICENSE_KEY, { digest, licenseId }).changes > 0;
}

/** Where the public id of an API key leads, by its digests under every live index key; undefined when nowhere. */
export function findApiKey(reader: Reader, digests: readonly DirectoryDigest[]): FoundApiKey | undefined {
  for (const { digest } of digests) {
    const found = reader.get(API_KEY_BY_ID, { digest });
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Names the API key that a public id leads to in the realm of `tx`; ids are random and unique on the appliance. */
export function insertApiKey(tx: RealmTx, digest: DirectoryDigest, apiKeyId: string): void {
  tx.run(INSERT_API_KEY, { version: digest.version, digest: digest.digest, apiKeyId });
}

/** Forgets where a public id leads. Returns whether there was such a row. */
export function deleteApiKey(tx: RealmTx, digest: Buffer, apiKeyId: string): boolean {
  return tx.run(DELETE_API_KEY, { digest, apiKeyId }).changes > 0;
}

/** While an index key is being changed, one licence may be found under two versions. */
function oncePerLicense(found: readonly FoundLicense[]): FoundLicense[] {
  return [...new Map(found.map((row) => [`${String(row.realm)} ${row.licenseId}`, row])).values()];
}
