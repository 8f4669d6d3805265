import { type Permit, saysTheSame } from '../../access/index.ts';
import type { Sealer } from '../../custody/sealer.ts';
import { append } from '../../ledger/append.ts';
import type { EpochMs } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmTx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { type Metadata, openMetadata, refuseCardData, resealMetadata } from '../metadata.ts';
import { notFound, requireVersion, settle, STALE } from '../refusal.ts';
import type { Guarded, Shown } from '../schema.ts';
import type { ProductPatch } from './product-schema.ts';
import { keysInTheMaking, putKey } from './metadata-key-store.ts';
import { findProduct, updateProduct as store } from './product-store.ts';
import { indexedNames, type Product, productDecides, productView, type ProductView } from './product.ts';
import { showProduct } from './show.ts';

/** What changing a product needs. */
export interface UpdateProductDeps {
  readonly work: UnitOfWork;
  readonly sealer: Sealer;
  readonly time: { now(): EpochMs };
}

/** Which product, which versions of it the caller accepts, and what to change. */
export interface UpdateProduct extends Guarded {
  readonly id: string;
  readonly change: ProductPatch;
}

/**
 * Changes name, description, key prefix, metadata or the keys by which licences are indexed; members that are absent
 * stay. By a new key the licences there are get indexed by a job; until it is done `metadataIndexing` names the key.
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED, CONFLICT, CARD_DATA_REFUSED
 */
export async function updateProduct(
  deps: UpdateProductDeps,
  permit: Permit,
  request: UpdateProduct,
): Promise<Shown<ProductView>> {
  const realm = realmOf(permit);
  refuseCardData(request.change);
  return settle(`product ${request.id}`, async () => {
    const product = findProduct(deps.work.read.in(realm), request.id);
    if (product === undefined) throw notFound('product', request.id);
    requireVersion(`product ${request.id}`, product.version, request.versions);
    const { after, metadata } = changed(deps, realm, { product, change: request.change });
    if (saysTheSame(product, after)) return { done: showProduct(deps, permit, product.id) };
    return deps.work.run(permit, (tx) => {
      if (!store(tx.in(realm), after, product.version)) return STALE;
      const target = { kind: 'product', id: product.id };
      declareKeys(tx.in(realm), product, after);
      const indexing = keysInTheMaking(tx.in(realm), [product.id]).get(product.id) ?? [];
      const view = { view: productView(after, { metadata, indexing }), version: after.version };
      const [was, is] = [productDecides(product), productDecides(after)];
      append(tx, { action: 'product.updated', target, before: was, after: is });
      permit.remember(tx, view);
      return { done: view };
    });
  });
}

function changed(
  deps: UpdateProductDeps,
  realm: RealmId,
  given: { readonly product: Product; readonly change: ProductPatch },
): { readonly after: Product; readonly metadata: Metadata } {
  const { product, change } = given;
  const cell = { realm, table: 'products', row: product.id };
  const metadata = change.metadata ?? openMetadata(deps.sealer, cell, product.metadata);
  const after: Product = {
    ...product,
    name: change.name ?? product.name,
    description: change.description === undefined ? product.description : change.description,
    keyPrefix: change.keyPrefix ?? product.keyPrefix,
    metadata: resealMetadata(deps.sealer, cell, { stored: product.metadata, metadata: change.metadata }),
    indexedMetadata:
      change.indexedMetadata === undefined ? product.indexedMetadata : JSON.stringify(change.indexedMetadata),
    version: product.version + 1,
    updatedAt: deps.time.now(),
  };
  return { after, metadata };
}

/** New keys are to be built, and those that are gone to be taken away, by the job. */
function declareKeys(rows: RealmTx, before: Product, after: Product): void {
  const [was, is] = [indexedNames(before.indexedMetadata), indexedNames(after.indexedMetadata)];
  const { id: productId } = after;
  for (const name of is) if (!was.includes(name)) putKey(rows, { productId, name }, 'building');
  for (const name of was) if (!is.includes(name)) putKey(rows, { productId, name }, 'removing');
}
