import type { EpochMs } from '../../lib/clock.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmReader } from '../../storage/tx.ts';

const COUNTERS = statement()((db, p) =>
  db
    .selectFrom('realm_counters')
    .select(['licenses', 'machines', 'suspended', 'expired', 'revoked', 'banned', 'dead'])
    .where('realm_id', '=', p.realm),
);

/** Few: the sweep writes the state within a minute. Its own index, so that active licences are not walked through. */
const OVERDUE = statement<{ now: EpochMs }>()((db, p) =>
  db
    .selectFrom('licenses')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('realm_id', '=', p.realm)
    .where('status', '=', 'active')
    .where('expires_at', '<=', p.now)
    .where('deleted_at', 'is', null),
);

const SEATS = statement<{ limit: number }>()((db, p) =>
  db
    .selectFrom('product_seats as s')
    .innerJoin('products as prod', (join) =>
      join.onRef('prod.realm_id', '=', 's.realm_id').onRef('prod.id', '=', 's.product_id'),
    )
    .select(['s.product_id as productId', 'prod.code as productCode', 's.seats as used'])
    .where('s.realm_id', '=', p.realm)
    .where('prod.deleted_at', 'is', null)
    .orderBy('s.seats', 'desc')
    .orderBy('s.product_id')
    .limit(p.limit),
);

const EXPIRING = statement<{ after: EpochMs; before: EpochMs }>()((db, p) =>
  db
    .selectFrom('issued_files')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('realm_id', '=', p.realm)
    .where('expires_at', '>', p.after)
    .where('expires_at', '<', p.before),
);

/** The counters of a realm; all zero before its first licence. */
export function realmCounters(reader: RealmReader) {
  const none = { licenses: 0, machines: 0, suspended: 0, expired: 0, revoked: 0, banned: 0, dead: 0 };
  return reader.get(COUNTERS, {}) ?? none;
}

/** Living licences that are stored as active and whose time has come by `now`. */
export function countOverdueLicenses(reader: RealmReader, now: EpochMs): number {
  return reader.get(OVERDUE, { now })?.count ?? 0;
}

/** Seats in use of living products, the most used first. */
export function seatsByProduct(
  reader: RealmReader,
  limit: number,
): { readonly productId: string; readonly productCode: string; readonly used: number }[] {
  return reader.all(SEATS, { limit });
}

/** Files that expire between two times, both excluded. */
export function countFilesExpiring(
  reader: RealmReader,
  between: { readonly after: EpochMs; readonly before: EpochMs },
): number {
  return reader.get(EXPIRING, between)?.count ?? 0;
}
