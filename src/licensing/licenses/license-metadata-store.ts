import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';
import type { IndexedValue } from './license-metadata.ts';

const SEQ = statement<{ id: string }>()((db, p) =>
  db.selectFrom('licenses').select('seq').where('realm_id', '=', p.realm).where('id', '=', p.id),
);

const CLEAR = statement<{ id: string }>()((db, p) =>
  db.deleteFrom('license_metadata').where('realm_id', '=', p.realm).where('license_id', '=', p.id),
);

const CLEAR_ONE = statement<{ id: string; name: string }>()((db, p) =>
  db
    .deleteFrom('license_metadata')
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.id)
    .where('name', '=', p.name),
);

const INSERT = statement<{ id: string; seq: number; name: string; digest: Buffer }>()((db, p) =>
  db.insertInto('license_metadata').values({
    realm_id: p.realm,
    license_id: p.id,
    name: p.name,
    value_hash: p.digest,
    license_seq: p.seq,
  }),
);

const LIVING_AFTER = statement<{ productId: string; after: number; limit: number }>()((db, p) =>
  db
    .selectFrom('licenses')
    .select(['seq', 'id', 'personal'])
    .where('realm_id', '=', p.realm)
    .where('product_id', '=', p.productId)
    .where('seq', '>', p.after)
    .where('deleted_at', 'is', null)
    .orderBy('seq')
    .limit(p.limit),
);

/** A licence whose metadata is to be indexed; `personal` is sealed. */
export interface LicenseToIndex {
  readonly seq: number;
  readonly id: string;
  readonly personal: Buffer | null;
}

/** Living licences of a product in order of creation, after a place in that order. */
export function licensesToIndex(
  reader: RealmReader,
  page: { readonly productId: string; readonly after: number; readonly limit: number },
): LicenseToIndex[] {
  return reader.all(LIVING_AFTER, page);
}

/** Indexes a licence that has just been stored, and was not indexed before. */
export function insertMetadata(tx: RealmTx, id: string, values: readonly IndexedValue[]): void {
  if (values.length === 0) return;
  const seq = tx.get(SEQ, { id })?.seq ?? 0;
  for (const value of values) tx.run(INSERT, { id, seq, ...value });
}

/** Takes a licence out of the index: it is deleted. */
export function clearMetadata(tx: RealmTx, id: string): void {
  tx.run(CLEAR, { id });
}

/** Indexes a licence anew: what was found by other values is not any more. */
export function rewriteMetadata(tx: RealmTx, id: string, values: readonly IndexedValue[]): void {
  tx.run(CLEAR, { id });
  insertMetadata(tx, id, values);
}

/** Indexes a licence anew by one key; without a value it is not found by that key. */
export function rewriteOneKey(
  tx: RealmTx,
  license: LicenseToIndex,
  key: { readonly name: string; readonly value: IndexedValue | undefined },
): void {
  tx.run(CLEAR_ONE, { id: license.id, name: key.name });
  if (key.value !== undefined) tx.run(INSERT, { id: license.id, seq: license.seq, ...key.value });
}
