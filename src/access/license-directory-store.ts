import type { Indexer } from '../custody/sealer.ts';
import { findLicensesByKey, type FoundLicense } from '../storage/directory.ts';
import { SYSTEM_REALM } from '../storage/realm-scope.ts';
import type { Reader } from '../storage/tx.ts';

export type { FoundLicense } from '../storage/directory.ts';

const LOOKUP = { purpose: 'lookup', table: 'license_directory', column: 'key_hash' } as const;

/** Every realm that holds a licence under one of these forms of its key, in order of the realms; each licence once. */
export function findLicenseRealms(
  reader: Reader,
  indexer: Pick<Indexer, 'candidates'>,
  forms: readonly string[],
): readonly FoundLicense[] {
  const digests = forms.flatMap((form) => indexer.candidates(SYSTEM_REALM, LOOKUP, form));
  return findLicensesByKey(reader, digests);
}
