import { statement } from '../../storage/statement.ts';
import type { RealmReader } from '../../storage/tx.ts';

const TAKEN = statement<{ keyHash: Buffer }>()((db, p) =>
  db.selectFrom('licenses').select('id').where('realm_id', '=', p.realm).where('key_hash', '=', p.keyHash),
);

/** Whether a licence of the realm has, or had before it was deleted, the key with this digest. */
export function isKeyTaken(reader: RealmReader, keyHash: Buffer): boolean {
  return reader.get(TAKEN, { keyHash }) !== undefined;
}
