import type { Permit } from '../../access/index.ts';
import { signsNow } from '../../custody/keyring.ts';
import { Fault } from '../../faults.ts';
import { append } from '../../ledger/append.ts';
import { invariant } from '../../lib/invariant.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Reader, Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { notFound, requireVersion, settle, STALE } from '../refusal.ts';
import type { Guarded, Shown } from '../schema.ts';
import { licenseKeyOf, productsOfKey, setProductKey } from './product-keys-store.ts';
import { findDeletedProduct, findProduct } from './product-store.ts';
import { type Product, productDecides, type ProductView } from './product.ts';
import { type ReadProductDeps, showProduct, showProductNow } from './show.ts';

/** What giving a product another key needs. */
export interface SetKeyDeps extends ReadProductDeps {
  readonly work: Pick<UnitOfWork, 'read' | 'run'>;
}

/** Which product, and which key. */
export interface SetKey extends Guarded {
  readonly id: string;
  readonly kid: string;
}

/**
 * Has files of a product signed by another licence key of its realm, from now on. Applications that have the old key compiled in
 * refuse them: whoever asks says that he has shipped the new one.
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED; CONFLICT when the key signs nothing here
 */
export async function setKeyOfProduct(
  deps: SetKeyDeps,
  permit: Permit,
  request: SetKey,
): Promise<Shown<ProductView>> {
  const { id, kid } = request;
  const realm = realmOf(permit);
  return settle(`product ${id}`, async () => {
    const product = findProduct(deps.work.read.in(realm), id);
    if (product === undefined) throw notFound('product', id);
    requireVersion(`product ${id}`, product.version, request.versions);
    if (product.signingKid === kid) return { done: showProduct(deps, permit, id) };
    return deps.work.run(permit, (tx) => {
      // Asked inside: a key that retires at the same time does not see this product.
      const refused = refuseKey(tx, realm, kid);
      if (refused !== null) return { refused };
      if (!move(tx, { realm, product, kid })) return STALE;
      const shown = showProductNow(deps, tx.in(realm), { realm, id });
      permit.remember(tx, shown);
      return { done: shown };
    });
  });
}

/**
 * Moves every product that a licence key signs for to another one, inside a unit: for a key that may sign nothing any more.
 * @returns how many
 */
export function moveProducts(
  tx: Tx,
  realm: RealmId,
  { from, to }: { readonly from: string; readonly to: string },
): number {
  const rows = tx.in(realm);
  const named = productsOfKey(rows, from);
  for (const { id } of named) {
    const product = findProduct(rows, id) ?? findDeletedProduct(rows, id);
    invariant(product !== undefined, 'a product was listed in this unit');
    invariant(move(tx, { realm, product, kid: to }), 'nothing changes a row inside a unit but the unit');
  }
  return named.length;
}

function move(
  tx: Tx,
  { realm, product, kid }: { readonly realm: RealmId; readonly product: Product; readonly kid: string },
): boolean {
  const { id, version: relied, deletedAt } = product;
  if (!setProductKey(tx.in(realm), { id, kid, relied, now: tx.now })) return false;
  const [before, after] = [product, { ...product, signingKid: kid }].map((row) =>
    productDecides(row, deletedAt),
  );
  invariant(before !== undefined && after !== undefined, 'two rows in, two out');
  append(tx, { realm, action: 'product.key_changed', target: { kind: 'product', id }, before, after });
  return true;
}

function refuseKey(reader: Reader, realm: RealmId, kid: string): Fault | null {
  const key = licenseKeyOf(reader, kid);
  if (key?.realm !== realm) return notFound('licence key of this environment', kid);
  if (signsNow({ purpose: 'license', state: key.state })) return null;
  return new Fault('CONFLICT', `signing key ${kid} is ${key.state} and signs nothing`);
}
