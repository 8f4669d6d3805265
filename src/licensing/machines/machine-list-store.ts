import { present } from '../../lib/invariant.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { QueryBuilder } from '../../storage/statement.ts';
import type { RealmReader } from '../../storage/tx.ts';
import { armsOf } from '../product-limit.ts';
import { MACHINE_COLUMNS } from './machine-store.ts';
import type { MachineSnapshot } from './machine.ts';

/** Which living machines, and which part of them. */
export interface MachinePage {
  readonly licenseId: string | null;
  /** Null: all. */
  readonly products: readonly string[] | null;
  /** Digests of one fingerprint under every live index key. */
  readonly fingerprints: readonly Buffer[] | null;
  /** Only machines created before the one with this sort key. */
  readonly before: number;
  readonly limit: number;
}

/**
 * Living machines of the realm, newest first: places first, then whole rows of those that are shown. Several products are read
 * each in the order of its index, and merged by SQLite until the page is full: a product more costs a row more.
 */
export function pageOfMachines(reader: RealmReader, page: MachinePage): MachineSnapshot[] {
  const { licenseId, products, fingerprints, limit } = page;
  return reader.find((db, p) => {
    const arms = armsOf(products, licenseId !== null || fingerprints !== null);
    const [first, ...more] = arms.map((own) => placesOf(db, p, { ...page, products: own }));
    const all = more.reduce((union, arm) => union.unionAll(arm), present(first, 'a list has a part'));
    const shown = all.orderBy('seq', 'desc').limit(limit).as('page');
    return db
      .selectFrom('machines as m')
      .innerJoin('machine_usage as u', (join) =>
        join.onRef('u.realm_id', '=', 'm.realm_id').onRef('u.machine_id', '=', 'm.id'),
      )
      .select(MACHINE_COLUMNS)
      .where('m.realm_id', '=', p.realm)
      .where('m.seq', 'in', db.selectFrom(shown).select('page.seq'))
      .orderBy('m.seq', 'desc');
  });
}

function placesOf(db: QueryBuilder, p: { readonly realm: RealmId }, page: MachinePage) {
  const { licenseId, products, fingerprints, before } = page;
  let query = db
    .selectFrom('machines as m')
    .select('m.seq as seq')
    .where('m.realm_id', '=', p.realm)
    .where('m.deleted_at', 'is', null)
    .where('m.seq', '<', before);
  if (licenseId !== null) query = query.where('m.license_id', '=', licenseId);
  if (products !== null) query = query.where('m.product_id', 'in', products);
  if (fingerprints !== null) query = query.where('m.fingerprint_hash', 'in', fingerprints);
  return query;
}
