import type { Permit } from '../../access/index.ts';
import type { Sealer } from '../../custody/sealer.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmReader } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { openMetadata } from '../metadata.ts';
import { productsOf } from '../product-limit.ts';
import { notFound } from '../refusal.ts';
import type { NounPage, Shown } from '../schema.ts';
import { keysInTheMaking } from './metadata-key-store.ts';
import { findProduct, pageOfProducts } from './product-store.ts';
import { type Product, productView, type ProductView } from './product.ts';

/** What reading products needs. */
export interface ReadProductDeps {
  readonly work: Pick<UnitOfWork, 'read'>;
  readonly sealer: Sealer;
}

/**
 * One product with its version.
 * @throws Fault NOT_FOUND
 */
export function showProduct(deps: ReadProductDeps, permit: Permit, id: string): Shown<ProductView> {
  const realm = realmOf(permit);
  return showProductNow(deps, deps.work.read.in(realm), { realm, id });
}

/** The same as a reader sees it: inside a unit, as the unit has made it. @throws Fault NOT_FOUND */
export function showProductNow(
  deps: Pick<ReadProductDeps, 'sealer'>,
  reader: RealmReader,
  { realm, id }: { readonly realm: RealmId; readonly id: string },
): Shown<ProductView> {
  const product = findProduct(reader, id);
  if (product === undefined) throw notFound('product', id);
  const indexing = keysInTheMaking(reader, [id]);
  return { view: viewOf(deps, { realm, indexing }, product), version: product.version };
}

/** Products in order of creation, each with its sort key. */
export function listProducts(
  deps: ReadProductDeps,
  permit: Permit,
  page: NounPage,
): { readonly seq: number; readonly view: ProductView }[] {
  const realm = realmOf(permit);
  const reader = deps.work.read.in(realm);
  const products = pageOfProducts(reader, page, productsOf(permit));
  const indexing = keysInTheMaking(
    reader,
    products.map(({ id }) => id),
  );
  return products.map((product) => ({
    seq: product.seq,
    view: viewOf(deps, { realm, indexing }, product),
  }));
}

function viewOf(
  deps: Pick<ReadProductDeps, 'sealer'>,
  around: { readonly realm: RealmId; readonly indexing: ReadonlyMap<string, readonly string[]> },
  product: Product,
): ProductView {
  const { id } = product;
  const cell = { realm: around.realm, table: 'products', row: id };
  const metadata = openMetadata(deps.sealer, cell, product.metadata);
  return productView(product, { metadata, indexing: around.indexing.get(id) ?? [] });
}
