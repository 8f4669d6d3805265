import { invariant, present } from '../../lib/invariant.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmTx } from '../../storage/tx.ts';

const PRODUCT = statement<{ licenseId: string }>()((db, p) =>
  db
    .selectFrom('licenses')
    .select('product_id as productId')
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.licenseId),
);

const COUNT = statement<{ productId: string }>()((db, p) =>
  db
    .insertInto('product_seats')
    .values({ realm_id: p.realm, product_id: p.productId, seats: 1 })
    .onConflict((conflict) =>
      conflict
        .columns(['realm_id', 'product_id'])
        .doUpdateSet((eb) => ({ seats: eb('product_seats.seats', '+', 1) })),
    ),
);

const UNCOUNT = statement<{ productId: string }>()((db, p) =>
  db
    .updateTable('product_seats')
    .set((eb) => ({ seats: eb('seats', '-', 1) }))
    .where('realm_id', '=', p.realm)
    .where('product_id', '=', p.productId),
);

/** A seat of a licence was taken: its product has one more in use. */
export function countProductSeat(tx: RealmTx, licenseId: string): void {
  tx.run(COUNT, { productId: productOf(tx, licenseId) });
}

/** A seat of a licence was given back. */
export function uncountProductSeat(tx: RealmTx, licenseId: string): void {
  const { changes } = tx.run(UNCOUNT, { productId: productOf(tx, licenseId) });
  invariant(changes === 1, 'a seat that is given back was counted for its product');
}

function productOf(tx: RealmTx, licenseId: string): string {
  return present(tx.get(PRODUCT, { licenseId }), 'a licence with seats has a row').productId;
}
