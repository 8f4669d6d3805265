import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';
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
  'version',
  'created_at as createdAt',
  'updated_at as updatedAt',
] as const;

const ONE = statement<{ id: string }>()((db, p) =>
  db
    .selectFrom('products')
    .select(COLUMNS)
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('deleted_at', 'is', null),
);

/** Newest first: a page is what was created before its cursor. */
const PAGE = statement<{ before: number; limit: number }>()((db, p) =>
  db
    .selectFrom('products')
    .select(COLUMNS)
    .where('realm_id', '=', p.realm)
    .where('deleted_at', 'is', null)
    .where('seq', '<', p.before)
    .orderBy('seq', 'desc')
    .limit(p.limit),
);

const INSERT = statement<Omit<Product, 'seq' | 'version'>>()((db, p) =>
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

/** What a PATCH may change, and which row. */
export type Edited = Pick<Product, 'id' | 'name' | 'description' | 'keyPrefix' | 'metadata' | 'updatedAt'>;

/** The living product with this id. */
export function findProduct(reader: RealmReader, id: string): Product | undefined {
  return reader.get(ONE, { id });
}

/** Living products, newest first, created before `before` (a `seq`). */
export function pageOfProducts(reader: RealmReader, page: { before: number; limit: number }): Product[] {
  return reader.all(PAGE, page);
}

/** Stores a new product. False: the realm has a living product with this code. */
export function insertProduct(tx: RealmTx, product: Omit<Product, 'seq' | 'version'>): boolean {
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
