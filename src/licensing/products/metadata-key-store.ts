import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';

/** How far a key is: licences are being indexed by it, all are, or what there is is being taken away. */
export type MetadataKeyState = 'building' | 'ready' | 'removing';

/** A key of metadata that a product declares indexed, or did. */
export interface MetadataKey {
  readonly productId: string;
  readonly name: string;
  readonly state: MetadataKeyState;
  /** The licence (`seq`) up to which the job has come. */
  readonly reached: number;
}

interface Key {
  readonly productId: string;
  readonly name: string;
}

const COLUMNS = ['product_id as productId', 'name', 'state', 'reached'] as const;

const OF_PRODUCT = statement<{ productId: string }>()((db, p) =>
  db
    .selectFrom('metadata_keys')
    .select(COLUMNS)
    .where('realm_id', '=', p.realm)
    .where('product_id', '=', p.productId),
);

const BY_NAME = statement<{ name: string }>()((db, p) =>
  db
    .selectFrom('metadata_keys')
    .select(COLUMNS)
    .where('realm_id', '=', p.realm)
    .where('name', '=', p.name)
    .where('state', '!=', 'removing'),
);

const UNFINISHED = statement()((db, p) =>
  db
    .selectFrom('metadata_keys')
    .select(COLUMNS)
    .where('realm_id', '=', p.realm)
    .where('state', '!=', 'ready')
    .limit(1),
);

const PUT = statement<Key & { state: MetadataKeyState }>()((db, p) =>
  db
    .insertInto('metadata_keys')
    .values({ realm_id: p.realm, product_id: p.productId, name: p.name, state: p.state })
    .onConflict((conflict) =>
      conflict.columns(['realm_id', 'product_id', 'name']).doUpdateSet({ state: p.state, reached: 0 }),
    ),
);

const REACH = statement<Key & { reached: number }>()((db, p) =>
  db
    .updateTable('metadata_keys')
    .set({ reached: p.reached })
    .where('realm_id', '=', p.realm)
    .where('product_id', '=', p.productId)
    .where('name', '=', p.name),
);

const DROP = statement<Key>()((db, p) =>
  db
    .deleteFrom('metadata_keys')
    .where('realm_id', '=', p.realm)
    .where('product_id', '=', p.productId)
    .where('name', '=', p.name),
);

const DROP_ALL = statement<{ productId: string }>()((db, p) =>
  db.deleteFrom('metadata_keys').where('realm_id', '=', p.realm).where('product_id', '=', p.productId),
);

/** The keys by which licences of a product are indexed now, whether or not all of them are yet. */
export function keysInUse(reader: RealmReader, productId: string): string[] {
  const keys = reader.all(OF_PRODUCT, { productId });
  return keys.filter(({ state }) => state !== 'removing').map(({ name }) => name);
}

/** Products that declare this key, and how far each is. */
export function productsWithKey(reader: RealmReader, name: string): MetadataKey[] {
  return reader.all(BY_NAME, { name });
}

/** Keys by which not all licences are indexed yet, of several products, in one statement. */
export function keysInTheMaking(
  reader: RealmReader,
  productIds: readonly string[],
): ReadonlyMap<string, string[]> {
  const found = new Map<string, string[]>();
  if (productIds.length === 0) return found;
  const rows = reader.find((db, p) =>
    db
      .selectFrom('metadata_keys')
      .select(['product_id as productId', 'name'])
      .where('realm_id', '=', p.realm)
      .where('product_id', 'in', productIds)
      .where('state', '=', 'building'),
  );
  for (const { productId, name } of rows) found.set(productId, [...(found.get(productId) ?? []), name]);
  return found;
}

/** A key of the realm that the job has work with; undefined: all is done. */
export function unfinishedKey(reader: RealmReader): MetadataKey | undefined {
  return reader.get(UNFINISHED, {});
}

/** Puts a key into a state, from the beginning. */
export function putKey(tx: RealmTx, key: Key, state: MetadataKeyState): void {
  tx.run(PUT, { ...key, state });
}

/** Remembers how far the job has come with a key. */
export function reachedWith(tx: RealmTx, key: Key, reached: number): void {
  tx.run(REACH, { productId: key.productId, name: key.name, reached });
}

/** Forgets a key. */
export function dropKey(tx: RealmTx, { productId, name }: Key): void {
  tx.run(DROP, { productId, name });
}

/** Forgets every key of a product that goes. */
export function dropKeysOf(tx: RealmTx, productId: string): void {
  tx.run(DROP_ALL, { productId });
}
