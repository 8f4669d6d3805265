import type { Indexer, KeyedDigest, Sealer } from '../../custody/sealer.ts';
import { present } from '../../lib/invariant.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import { openJson, sealJson } from '../metadata.ts';
import type { LicensePersonal, LicenseRef, LicenseSnapshot } from './license.ts';

const EMAIL = { purpose: 'blind', table: 'licenses', column: 'user_email' } as const;

const NOTHING: LicensePersonal = { name: null, userEmail: null, userName: null, metadata: {} };

/** Seals a licence key into its row. */
export function sealLicenseKey(sealer: Sealer, license: LicenseRef, key: string): Buffer {
  return sealer.seal(cell(license, 'key_sealed'), Buffer.from(key, 'utf8'));
}

/**
 * The full key of a licence, for reveal and for encrypting its files.
 * @throws Fault SEALED, KEY_STORAGE
 */
export function openLicenseKey(
  deps: { readonly sealer: Sealer },
  realm: RealmId,
  license: Pick<LicenseSnapshot, 'id' | 'keySealed'>,
): string {
  const sealed = present(license.keySealed, 'every licence key of this version has a sealed copy');
  return deps.sealer.open(cell({ realm, id: license.id }, 'key_sealed'), sealed).toString('utf8');
}

/** Seals what names or describes a person; null when there is nothing of that. */
export function sealPersonal(sealer: Sealer, license: LicenseRef, personal: LicensePersonal): Buffer | null {
  const { name, userEmail, userName, metadata } = personal;
  const empty =
    name === null && userEmail === null && userName === null && Object.keys(metadata).length === 0;
  return empty ? null : sealJson(sealer, cell(license, 'personal'), personal);
}

/** What names or describes a person, in clear. @throws Fault SEALED, KEY_STORAGE */
export function openPersonal(
  sealer: Sealer,
  realm: RealmId,
  license: Pick<LicenseSnapshot, 'id' | 'personal'>,
): LicensePersonal {
  if (license.personal === null) return NOTHING;
  // `sealPersonal` sealed exactly this shape, and the seal proves that it is the same bytes.
  return openJson(sealer, cell({ realm, id: license.id }, 'personal'), license.personal) as LicensePersonal;
}

/** The blind index of an e-mail address under the current index key. */
export function emailIndex(indexer: Indexer, realm: RealmId, address: string): Buffer {
  return indexer.digest(realm, EMAIL, normalEmail(address)).digest;
}

/** The blind indexes a look-up of an address tries: one per live index key. */
export function emailCandidates(indexer: Indexer, realm: RealmId, address: string): readonly KeyedDigest[] {
  return indexer.candidates(realm, EMAIL, normalEmail(address));
}

/** Addresses that people take for the same: NFC, trimmed, lower case. */
export function normalEmail(address: string): string {
  return address.normalize('NFC').trim().toLowerCase();
}

function cell({ realm, id }: LicenseRef, column: 'key_sealed' | 'personal') {
  return { realm, table: 'licenses', column, row: id };
}
