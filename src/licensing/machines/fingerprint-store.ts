import type { KeyedDigest } from '../../custody/sealer.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';

/** More fingerprints than any table holds: the cap of a licence without one. */
const UNLIMITED = Number.MAX_SAFE_INTEGER;

const KNOWN = statement<{ licenseId: string; hash: Buffer }>()((db, p) =>
  db
    .selectFrom('license_fingerprints')
    .select('license_id as licenseId')
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('fingerprint_hash', '=', p.hash),
);

const COUNT = statement<{ licenseId: string }>()((db, p) =>
  db
    .selectFrom('license_seats')
    .select('fingerprints')
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId),
);

const COUNT_ONE = statement<{ licenseId: string; cap: number }>()((db, p) =>
  db
    .updateTable('license_seats')
    .set((eb) => ({ fingerprints: eb('fingerprints', '+', 1) }))
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('fingerprints', '<', p.cap),
);

const REMEMBER = statement<{ licenseId: string; hash: Buffer; indexVersion: number }>()((db, p) =>
  db.insertInto('license_fingerprints').values({
    realm_id: p.realm,
    license_id: p.licenseId,
    fingerprint_hash: p.hash,
    index_version: p.indexVersion,
  }),
);

/** How many different fingerprints a licence has had in its life. */
export function fingerprintsEver(reader: RealmReader, licenseId: string): number {
  return reader.get(COUNT, { licenseId })?.fingerprints ?? 0;
}

/** Whether a licence has ever had this fingerprint. @param digests of it under every live index key */
export function hadFingerprint(
  reader: RealmReader,
  licenseId: string,
  digests: readonly KeyedDigest[],
): boolean {
  return digests.some(({ digest }) => reader.get(KNOWN, { licenseId, hash: digest }) !== undefined);
}

/**
 * Remembers a fingerprint for the life of a licence, whatever becomes of its machine; one it has had already counts no
 * second time. The count is one conditional statement: of two new machines that want the last place, one gets it.
 * @param asked `digests` newest first; `cap` null: any number
 * @returns false: the licence has had as many as it may
 */
export function claimFingerprint(
  tx: RealmTx,
  licenseId: string,
  asked: { readonly digests: readonly KeyedDigest[]; readonly cap: number | null },
): boolean {
  const [newest] = asked.digests;
  if (newest === undefined || hadFingerprint(tx, licenseId, asked.digests)) return true;
  if (tx.run(COUNT_ONE, { licenseId, cap: asked.cap ?? UNLIMITED }).changes === 0) return false;
  tx.run(REMEMBER, { licenseId, hash: newest.digest, indexVersion: newest.version });
  return true;
}
