import type { Indexer, KeyedDigest } from '../../custody/sealer.ts';
import { SYSTEM_REALM } from '../../storage/realm-scope.ts';

const NAME = { purpose: 'lookup', table: 'license_directory', column: 'key_hash' } as const;

/** The digest under which a key is found on the whole appliance, under the current index key. */
export function licenseKeyDigest(indexer: Indexer, canonicalKey: string): KeyedDigest {
  return indexer.digest(SYSTEM_REALM, NAME, canonicalKey);
}

/** The digests of a key under every live index key, newest first: one of them is in its row. */
export function licenseKeyDigests(indexer: Indexer, canonicalKey: string): readonly KeyedDigest[] {
  return indexer.candidates(SYSTEM_REALM, NAME, canonicalKey);
}
