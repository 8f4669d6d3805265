import type { Permit } from '../../access/index.ts';
import { append } from '../../ledger/append.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { notFound, type Outcome, refusal, requireVersion, settle, STALE } from '../refusal.ts';
import type { Guarded } from '../schema.ts';
import { dropKeysOf } from './metadata-key-store.ts';
import { deleteProduct as store, dependentOfProduct, findProduct } from './product-store.ts';
import { type Product, productDecides } from './product.ts';

/** Which product, and which versions of it the caller accepts. */
export interface DeleteProduct extends Guarded {
  readonly id: string;
}

/**
 * Deletes a product that nothing living depends on; its code is free again.
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED, HAS_DEPENDENTS, CONFLICT
 */
export async function deleteProduct(
  deps: { readonly work: UnitOfWork },
  permit: Permit,
  request: DeleteProduct,
): Promise<void> {
  const realm = realmOf(permit);
  await settle(`product ${request.id}`, async () => {
    const product = findProduct(deps.work.read.in(realm), request.id);
    if (product === undefined) throw notFound('product', request.id);
    requireVersion(`product ${request.id}`, product.version, request.versions);
    return deps.work.run(permit, (tx) => remove(tx, realm, product));
  });
}

function remove(tx: Tx, realm: RealmId, product: Product): Outcome<null> {
  const { id, version: relied } = product;
  const dependent = dependentOfProduct(tx.in(realm), id);
  if (dependent !== undefined) {
    return refusal('HAS_DEPENDENTS', `product ${id} still has a living ${dependent}; delete that first`);
  }
  if (!store(tx.in(realm), { id, relied, now: tx.now })) return STALE;
  // No licence of it lives: there is nothing to look for by its keys.
  dropKeysOf(tx.in(realm), id);
  const target = { kind: 'product', id };
  const [before, after] = [productDecides(product), productDecides(product, tx.now)];
  append(tx, { action: 'product.deleted', target, before, after });
  return { done: null };
}
