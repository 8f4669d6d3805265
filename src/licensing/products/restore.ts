import type { Permit } from '../../access/index.ts';
import { append } from '../../ledger/append.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { notFound, refusal, requireVersion, settle, STALE } from '../refusal.ts';
import type { Guarded, Shown } from '../schema.ts';
import { putKey } from './metadata-key-store.ts';
import { findDeletedProduct, productCodeInUse, restoreProductRow } from './product-store.ts';
import { indexedNames, type Product, productDecides, type ProductView } from './product.ts';
import { type ReadProductDeps, showProductNow } from './show.ts';

/** What restoring a product needs. */
export interface RestoreProductDeps extends ReadProductDeps {
  readonly work: UnitOfWork;
}

/**
 * Brings back a product that was deleted and is not purged yet.
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED; CONFLICT when another product has its code by now
 */
export async function restoreProduct(
  deps: RestoreProductDeps,
  permit: Permit,
  request: Guarded & { readonly id: string },
): Promise<Shown<ProductView>> {
  const realm = realmOf(permit);
  const { id } = request;
  return settle(`product ${id}`, () =>
    deps.work.run(permit, (tx) => {
      const rows = tx.in(realm);
      const product = findDeletedProduct(rows, id);
      if (product === undefined) throw notFound('deleted product', id);
      requireVersion(`product ${id}`, product.version, request.versions);
      if (productCodeInUse(rows, product.code)) return codeTaken(product);
      if (!restoreProductRow(rows, { id, relied: product.version, now: tx.now })) return STALE;
      for (const name of indexedNames(product.indexedMetadata))
        putKey(rows, { productId: id, name }, 'ready');
      const [before, after] = [productDecides(product, product.deletedAt), productDecides(product)];
      append(tx, { action: 'product.restored', target: { kind: 'product', id }, before, after });
      const shown = showProductNow(deps, rows, { realm, id });
      permit.remember(tx, shown);
      return { done: shown };
    }),
  );
}

function codeTaken({ id, code }: Product) {
  return refusal('CONFLICT', `product ${id} cannot come back: code ${code} is in use by another product`);
}
