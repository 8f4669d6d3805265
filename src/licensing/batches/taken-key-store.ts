import { statement } from '../../storage/statement.ts';
import type { RealmReader } from '../../storage/tx.ts';

const TAKEN = statement<{ keyHash: Buffer }>()((db, p) =>
  db
    .selectFrom('license_directory')
    .select('license_id as licenseId')
    .where('key_hash', '=', p.keyHash)
    .where('realm_id', '=', p.realm),
);

/** Whether a licence of the realm has, or had before it was deleted or purged, the key with this digest. */
export function isKeyTaken(reader: RealmReader, keyHash: Buffer): boolean {
  return reader.get(TAKEN, { keyHash }) !== undefined;
}
