import { type Permit, refuseFull, tenantRoom } from '../../access/index.ts';
import type { Sealer } from '../../custody/sealer.ts';
import { append } from '../../ledger/append.ts';
import type { EpochMs } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { newId } from '../../lib/ulid.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { refuseCardData, sealMetadata } from '../metadata.ts';
import { refusal, settle } from '../refusal.ts';
import { DEFAULT_KEY_PREFIX, type ProductInput } from './product-schema.ts';
import { putKey } from './metadata-key-store.ts';
import { insertProduct } from './product-store.ts';
import { type Product, productDecides, productView, type ProductView } from './product.ts';

/** What creating a product needs. */
export interface CreateProductDeps {
  readonly work: UnitOfWork;
  readonly sealer: Sealer;
  readonly random: Random;
  /** Trusted time. */
  readonly time: { now(): EpochMs };
  /** kid of the realm's licence key that is active now. */
  readonly activeLicenseKid: (realm: RealmId) => string;
}

/**
 * Creates a product.
 * @throws Fault CONFLICT when a living product of the realm has this code; CARD_DATA_REFUSED, TENANT_LIMIT
 */
export async function createProduct(
  deps: CreateProductDeps,
  permit: Permit,
  request: ProductInput,
): Promise<ProductView> {
  const realm = realmOf(permit);
  const { code, ...free } = request;
  refuseCardData(free);
  const product = newProduct(deps, realm, request);
  const view = productView(product, { metadata: request.metadata ?? {}, indexing: [] });
  return settle('the product', () =>
    deps.work.run(permit, (tx) => {
      const full = refuseFull(tenantRoom(tx.in(realm)));
      if (full !== null) return full;
      // A product must not name a key that was replaced, or lost, since.
      if (deps.activeLicenseKid(realm) !== product.signingKid) return KEY_CHANGED;
      if (!insertProduct(tx.in(realm), product)) {
        return refusal('CONFLICT', `code ${code} is in use by another product`);
      }
      // There is no licence yet: every key is ready at once.
      for (const name of request.indexedMetadata ?? [])
        putKey(tx.in(realm), { productId: product.id, name }, 'ready');
      const target = { kind: 'product', id: product.id };
      append(tx, { action: 'product.created', target, after: productDecides(product) });
      permit.remember(tx, view);
      return { done: view };
    }),
  );
}

const KEY_CHANGED = refusal('CONFLICT', 'the licence key of this environment has just changed; ask again');

function newProduct(deps: CreateProductDeps, realm: RealmId, request: ProductInput): Omit<Product, 'seq'> {
  const now = deps.time.now();
  const id = newId('product', now, deps.random);
  return {
    id,
    code: request.code,
    name: request.name,
    description: request.description ?? null,
    keyPrefix: request.keyPrefix ?? DEFAULT_KEY_PREFIX,
    signingKid: deps.activeLicenseKid(realm),
    metadata: sealMetadata(deps.sealer, { realm, table: 'products', row: id }, request.metadata ?? {}),
    indexedMetadata: JSON.stringify(request.indexedMetadata ?? []),
    version: 1,
    createdAt: now,
    updatedAt: now,
    deletedAt: null,
  };
}
