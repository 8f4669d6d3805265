import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';
import type { NounPage } from '../schema.ts';
import type { Product } from './product.ts';

const COLUMNS = [
  'seq',
  'id',
  'code',
  'name',
  'description',
  'key_prefix as keyPrefix',
  'signing_kid as signingKid',
  'metadata',
  'indexed_metadata as indexedMetadata',
  'version',
  'created_at as createdAt',
  'updated_at as updatedAt',
  'deleted_at as deletedAt',
] as const;

const ONE = statement<{ id: string }>()((db, p) =>
  db
    .selectFrom('products')
    .select(COLUMNS)
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('deleted_at', 'is', null),
);

const DELETED = statement<{ id: string }>()((db, p) =>
  db
    .selectFrom('products')
    .select(COLUMNS)
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('deleted_at', 'is not', null),
);

const LIVING_CODE = statement<{ code: string }>()((db, p) =>
  db
    .selectFrom('products')
    .select('id')
    .where('realm_id', '=', p.realm)
    .where('code', '=', p.code)
    .where('deleted_at', 'is', null),
);

const RESTORE = statement<{ id: string; relied: number; now: number }>()((db, p) =>
  db
    .updateTable('products')
    .set((eb) => ({ deleted_at: null, updated_at: p.now, version: eb('version', '+', 1) }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('version', '=', p.relied)
    .where('deleted_at', 'is not', null),
);

const INSERT = statement<NewProduct>()((db, p) =>
  db
    .insertInto('products')
    .values({
      realm_id: p.realm,
      id: p.id,
      code: p.code,
      name: p.name,
      description: p.description,
      key_prefix: p.keyPrefix,
      signing_kid: p.signingKid,
      metadata: p.metadata,
      indexed_metadata: p.indexedMetadata,
      created_at: p.createdAt,
      updated_at: p.updatedAt,
    })
    .onConflict((conflict) => conflict.doNothing()),
);

const UPDATE = statement<Edited & { relied: number }>()((db, p) =>
  db
    .updateTable('products')
    .set((eb) => ({
      name: p.name,
      description: p.description,
      key_prefix: p.keyPrefix,
      metadata: p.metadata,
      indexed_metadata: p.indexedMetadata,
      updated_at: p.updatedAt,
      version: eb('version', '+', 1),
    }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('version', '=', p.relied)
    .where('deleted_at', 'is', null),
);

const DELETE = statement<{ id: string; relied: number; now: number }>()((db, p) =>
  db
    .updateTable('products')
    .set((eb) => ({ deleted_at: p.now, updated_at: p.now, version: eb('version', '+', 1) }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('version', '=', p.relied)
    .where('deleted_at', 'is', null),
);

const ONE_POLICY = statement<{ id: string }>()((db, p) =>
  db
    .selectFrom('policies')
    .select('id')
    .where('realm_id', '=', p.realm)
    .where('product_id', '=', p.id)
    .where('deleted_at', 'is', null)
    .limit(1),
);

const ONE_LICENSE = statement<{ id: string }>()((db, p) =>
  db
    .selectFrom('licenses')
    .select('id')
    .where('realm_id', '=', p.realm)
    .where('product_id', '=', p.id)
    .where('deleted_at', 'is', null)
    .limit(1),
);

/** A new product as stored. */
export type NewProduct = Omit<Product, 'seq' | 'version' | 'deletedAt'>;

/** What a PATCH may change, and which row. */
export type Edited = Pick<
  Product,
  'id' | 'name' | 'description' | 'keyPrefix' | 'metadata' | 'indexedMetadata' | 'updatedAt'
>;

/** The living product with this id. */
export function findProduct(reader: RealmReader, id: string): Product | undefined {
  return reader.get(ONE, { id });
}

/** Products in order of creation. @param among only these; null: all */
export function pageOfProducts(
  reader: RealmReader,
  page: NounPage,
  among: readonly string[] | null,
): Product[] {
  const { descending, after, limit, deleted = false } = page;
  return reader.find((db, p) => {
    const all = db
      .selectFrom('products')
      .select(COLUMNS)
      .where('realm_id', '=', p.realm)
      .where('deleted_at', deleted ? 'is not' : 'is', null)
      .where('seq', descending ? '<' : '>', after);
    const some = among === null ? all : all.where('id', 'in', among);
    return some.orderBy('seq', descending ? 'desc' : 'asc').limit(limit);
  });
}

/** The product with this id that is deleted and not purged. */
export function findDeletedProduct(reader: RealmReader, id: string): Product | undefined {
  return reader.get(DELETED, { id });
}

/** Whether a living product has this code. */
export function productCodeInUse(reader: RealmReader, code: string): boolean {
  return reader.get(LIVING_CODE, { code }) !== undefined;
}

/** Brings a deleted product back while it has the version relied on. False: it has another, or is gone. */
export function restoreProductRow(tx: RealmTx, at: { id: string; relied: number; now: number }): boolean {
  return tx.run(RESTORE, at).changes === 1;
}

/** Stores a new product. False: the realm has a living product with this code. */
export function insertProduct(tx: RealmTx, product: NewProduct): boolean {
  return tx.run(INSERT, product).changes === 1;
}

/** Changes the product while it has the version relied on. False: it has another, or is gone. */
export function updateProduct(tx: RealmTx, edited: Edited, relied: number): boolean {
  return tx.run(UPDATE, { ...edited, relied }).changes === 1;
}

/** Deletes the product (softly) while it has the version relied on. False: it has another, or is gone. */
export function deleteProduct(tx: RealmTx, at: { id: string; relied: number; now: number }): boolean {
  return tx.run(DELETE, at).changes === 1;
}

/** What keeps a product from being deleted: the kind of one living dependent, or undefined. */
export function dependentOfProduct(reader: RealmReader, id: string): 'policy' | 'license' | undefined {
  if (reader.get(ONE_POLICY, { id }) !== undefined) return 'policy';
  return reader.get(ONE_LICENSE, { id }) === undefined ? undefined : 'license';
}
