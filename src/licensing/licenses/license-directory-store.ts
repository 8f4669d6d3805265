import type { Indexer, KeyedDigest } from '../../custody/sealer.ts';
import { type FoundLicense, findLicensesByKey } from '../../storage/directory.ts';
import { SYSTEM_REALM } from '../../storage/realm-scope.ts';
import type { Reader } from '../../storage/tx.ts';
import { licenseKeyForms } from './license-key.ts';

const NAME = { purpose: 'lookup', table: 'license_directory', column: 'key_hash' } as const;

/** The digest under which a key is found on the whole appliance, under the current index key. */
export function licenseKeyDigest(indexer: Indexer, canonicalKey: string): KeyedDigest {
  return indexer.digest(SYSTEM_REALM, NAME, canonicalKey);
}

/**
 * Where a typed licence key leads: one row per realm that has it. Tries every form under which the text may be stored
 * and every live index key.
 */
export function whereLicenseKeyLeads(reader: Reader, indexer: Indexer, typed: string): FoundLicense[] {
  const digests = licenseKeyForms(typed).flatMap((form) => indexer.candidates(SYSTEM_REALM, NAME, form));
  return findLicensesByKey(reader, digests);
}
