import type { RealmId } from './realm-scope.ts';
import { statement } from './statement.ts';
import type { Reader, RealmReader, RealmTx, Tx } from './tx.ts';

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

const LICENSE_KEYS = statement<{ after: Buffer; afterOwner: RealmId; limit: number }>()((db, p) =>
  db
    .selectFrom('license_directory')
    .select(['key_hash as key', 'realm_id as owner'])
    .where('key_hash', '>=', p.after)
    .where((eb) => eb.or([eb('key_hash', '>', p.after), eb('realm_id', '>', p.afterOwner)]))
    .orderBy('key_hash')
    .orderBy('realm_id')
    .limit(p.limit),
);

const REMOVE_LICENSE_KEY = statement<{ hash: Buffer; owner: RealmId }>()((db, p) =>
  db.deleteFrom('license_directory').where('key_hash', '=', p.hash).where('realm_id', '=', p.owner),
);

const API_KEYS = statement<{ after: Buffer; limit: number }>()((db, p) =>
  db
    .selectFrom('api_key_directory')
    .select(['public_id_hash as key', 'realm_id as owner'])
    .where('public_id_hash', '>', p.after)
    .orderBy('public_id_hash')
    .limit(p.limit),
);

const REMOVE_API_KEY = statement<{ hash: Buffer }>()((db, p) =>
  db.deleteFrom('api_key_directory').where('public_id_hash', '=', p.hash),
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

/** A row of a directory, whatever realm has it. */
export interface DirectoryRow {
  readonly key: Buffer;
  readonly owner: RealmId;
}

/** Licence keys of all realms behind `after`, in the order of their digests and realms. */
export function licenseKeysAfter(reader: Reader, after: DirectoryRow, limit: number): DirectoryRow[] {
  return reader.all(LICENSE_KEYS, { after: after.key, afterOwner: after.owner, limit });
}

/** Forgets where a key leads in a realm that is erased. */
export function eraseLicenseKey(tx: Tx, hash: Buffer, owner: RealmId): void {
  tx.run(REMOVE_LICENSE_KEY, { hash, owner });
}

/** API keys of all realms behind `after`, in the order of their digests. */
export function apiKeysAfter(reader: Reader, after: Buffer, limit: number): DirectoryRow[] {
  return reader.all(API_KEYS, { after, limit });
}

/** Forgets where the API key of an erased realm leads. */
export function eraseApiKey(tx: Tx, hash: Buffer): void {
  tx.run(REMOVE_API_KEY, { hash });
}

/** While an index key is being changed, one licence may be found under two versions. */
function oncePerLicense(found: readonly FoundLicense[]): FoundLicense[] {
  return [...new Map(found.map((row) => [`${String(row.realm)} ${row.licenseId}`, row])).values()];
}
