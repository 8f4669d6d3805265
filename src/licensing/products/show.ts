import type { Permit } from '../../access/index.ts';
import type { Sealer } from '../../custody/sealer.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { openMetadata } from '../metadata.ts';
import { notFound } from '../refusal.ts';
import type { Shown } from '../schema.ts';
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
  const product = findProduct(deps.work.read.in(realm), id);
  if (product === undefined) throw notFound('product', id);
  return { view: viewOf(deps, realm, product), version: product.version };
}

/** Products, newest first; `limit` rows created before `before`, each with its sort key. */
export function listProducts(
  deps: ReadProductDeps,
  permit: Permit,
  page: { readonly before: number; readonly limit: number },
): { readonly seq: number; readonly view: ProductView }[] {
  const realm = realmOf(permit);
  const products = pageOfProducts(deps.work.read.in(realm), page);
  return products.map((product) => ({ seq: product.seq, view: viewOf(deps, realm, product) }));
}

function viewOf(deps: ReadProductDeps, realm: RealmId, product: Product): ProductView {
  const cell = { realm, table: 'products', row: product.id };
  return productView(product, openMetadata(deps.sealer, cell, product.metadata));
}
