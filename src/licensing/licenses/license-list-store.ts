import type { EpochMs } from '../../lib/clock.ts';
import { present } from '../../lib/invariant.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { QueryBuilder } from '../../storage/statement.ts';
import type { RealmReader } from '../../storage/tx.ts';
import { armsOf } from '../product-limit.ts';
import { snapshots } from './license-store.ts';
import type { LicenseSnapshot, LicenseStatus } from './license.ts';

/** Which licences a list shows. Members that are absent filter nothing. */
export interface LicenseFilter {
  /** Null: all. */
  readonly products: readonly string[] | null;
  readonly policyId?: string | undefined;
  readonly status?: LicenseStatus | undefined;
  /** Blind indexes of one address, one per live index key. */
  readonly emails?: readonly Buffer[] | undefined;
  /** Blind indexes of one value for each indexed key of metadata, one per live index key. All have to match. */
  readonly metadata?: readonly (readonly Buffer[])[] | undefined;
  /** Trusted time: what has expired by now counts as expired. */
  readonly now: EpochMs;
}

/** A page in order of creation: licences beyond the place `after`. */
export interface CreationOrder {
  readonly by: 'createdAt';
  readonly descending: boolean;
  readonly after: number;
}

/** A place in order of expiry: what never expires comes after everything that does. */
export type ExpiryPlace = readonly [EpochMs | 'never', number];

/** A page in order of expiry, then creation; only what expires before `until` when that is given. */
export interface ExpiryOrder {
  readonly by: 'expiresAt';
  readonly descending: boolean;
  /** Null: from the beginning. */
  readonly after: ExpiryPlace | null;
  readonly until: EpochMs | null;
}

/** One part of a list. */
export interface LicensePage<Order> {
  readonly order: Order;
  readonly limit: number;
}

type Query = ReturnType<typeof living>;
interface Bound {
  readonly realm: RealmId;
}
/** Where a list goes on, and in which direction. */
interface Direction {
  readonly beyond: '<' | '>';
  readonly way: 'asc' | 'desc';
}

const directionOf = (descending: boolean): Direction =>
  descending ? { beyond: '<', way: 'desc' } : { beyond: '>', way: 'asc' };

/** Which licences stand in a part of a list, of those that are narrowed down; how long it is, and in which order. */
interface Part {
  readonly limit: number;
  readonly way: 'asc' | 'desc';
  readonly byExpiry?: boolean;
  readonly where: (licenses: Query, db: QueryBuilder) => Query;
}

/**
 * One statement: places first, from the licences alone, then whole rows of those that are shown. Several products are read
 * each in the order of its index, and merged by SQLite until the part is full: a product more costs a row more.
 */
function licensesIn(
  reader: RealmReader,
  filter: LicenseFilter,
  { limit, way, byExpiry = false, where }: Part,
): LicenseSnapshot[] {
  return reader.find((db, p) => {
    const [first, ...more] = armsOf(filter.products, isNarrow(filter)).map((products) =>
      where(narrowed(db, p, { ...filter, products }), db),
    );
    const all = more.reduce((union, arm) => union.unionAll(arm), present(first, 'a list has a part'));
    const ordered = byExpiry ? all.orderBy('expiresAt', way) : all;
    const page = ordered
      .orderBy(placeOf(db, filter, 'seq'), way)
      .limit(limit)
      .as('page');
    const shown = snapshots(db, p).where('l.seq', 'in', db.selectFrom(page).select('page.seq'));
    return (byExpiry ? shown.orderBy('l.expires_at', way) : shown).orderBy('l.seq', way);
  });
}

/** With metadata the order is that of its index, so that a page reads no more than it shows. */
function placeOf<Name extends 'seq' | 'l.seq'>(
  db: QueryBuilder,
  { metadata = [] }: LicenseFilter,
  seq: Name,
) {
  return db.dynamic.ref<Name>(metadata.length === 0 ? seq : 'm0.license_seq');
}

/** Whether another filter than the product finds the few licences that match. */
function isNarrow({ policyId, emails, metadata = [] }: LicenseFilter): boolean {
  return policyId !== undefined || emails !== undefined || metadata.length > 0;
}

/** Living licences in order of creation. */
export function licensesByCreation(
  reader: RealmReader,
  filter: LicenseFilter,
  page: LicensePage<CreationOrder>,
): LicenseSnapshot[] {
  const { order, limit } = page;
  const { beyond, way } = directionOf(order.descending);
  const stored = licensesIn(reader, filter, {
    ...{ limit, way },
    where: (licenses, db) =>
      storedStatus(licenses, filter).where(placeOf(db, filter, 'l.seq'), beyond, order.after),
  });
  if (filter.status !== 'expired') return stored;
  const both = [...stored, ...dueLicenses(reader, filter, page)];
  const sign = order.descending ? -1 : 1;
  return both.sort((a, b) => sign * (a.seq - b.seq)).slice(0, limit);
}

/** Living licences in order of expiry; those that never expire are the last, and the first in descending order. */
export function licensesByExpiry(
  reader: RealmReader,
  filter: LicenseFilter,
  page: LicensePage<ExpiryOrder>,
): LicenseSnapshot[] {
  const parts = page.order.descending ? [undated, dated] : [dated, undated];
  const found: LicenseSnapshot[] = [];
  for (const part of parts) {
    const limit = page.limit - found.length;
    if (limit > 0) found.push(...part(reader, filter, { ...page, limit }));
  }
  return found;
}

function dated(
  reader: RealmReader,
  filter: LicenseFilter,
  { order, limit }: LicensePage<ExpiryOrder>,
): LicenseSnapshot[] {
  const { beyond, way } = directionOf(order.descending);
  const [expiresAt, seq] = order.after ?? ['never', 0];
  const place = expiresAt === 'never' ? null : expiresAt;
  // Ascending, whoever has come to those that never expire has seen all the others.
  if (place === null && order.after !== null && !order.descending) return [];
  const where = (licenses: Query): Query => {
    let query = statusNow(licenses, filter).where('l.expires_at', 'is not', null);
    if (order.until !== null) query = query.where('l.expires_at', '<', order.until);
    if (place === null) return query;
    return query
      .where('l.expires_at', order.descending ? '<=' : '>=', place)
      .where((eb) => eb.or([eb('l.expires_at', beyond, place), eb('l.seq', beyond, seq)]));
  };
  return licensesIn(reader, filter, { limit, way, byExpiry: true, where });
}

function undated(
  reader: RealmReader,
  filter: LicenseFilter,
  { order, limit }: LicensePage<ExpiryOrder>,
): LicenseSnapshot[] {
  const { beyond, way } = directionOf(order.descending);
  const [expiresAt, seq] = order.after ?? ['never', order.descending ? Number.MAX_SAFE_INTEGER : -1];
  if (order.until !== null || (expiresAt !== 'never' && order.descending)) return [];
  const after = expiresAt === 'never' ? seq : -1;
  return licensesIn(reader, filter, {
    ...{ limit, way },
    where: (licenses) =>
      statusNow(licenses, filter).where('l.expires_at', 'is', null).where('l.seq', beyond, after),
  });
}

/** Expired by now, and not yet written so: few, found by their expiry; no-ops keep other indexes out. */
function dueLicenses(
  reader: RealmReader,
  filter: LicenseFilter,
  { order, limit }: LicensePage<CreationOrder>,
): LicenseSnapshot[] {
  const { products } = filter;
  const { beyond, way } = directionOf(order.descending);
  return reader.find((db, p) => {
    const due = narrowed(db, p, { ...filter, products: null })
      .where('l.status', '=', 'active')
      .where('l.expires_at', '<=', filter.now)
      .where((eb) => eb(eb('l.seq', '+', 0), beyond, order.after));
    const own = products === null ? due : due.where((eb) => eb(eb('l.product_id', '||', ''), 'in', products));
    const page = own
      .orderBy((eb) => eb('l.seq', '+', 0), way)
      .limit(limit)
      .as('page');
    return snapshots(db, p).where('l.seq', 'in', db.selectFrom(page).select('page.seq'));
  });
}

/** The status as stored, of which an index is in order of creation; active licences that are over are left out. */
function storedStatus(query: Query, { status, now }: LicenseFilter): Query {
  if (status === undefined) return query;
  const stored = query.where('l.status', '=', status);
  return status === 'active'
    ? stored.where((eb) => eb.or([eb('l.expires_at', 'is', null), eb('l.expires_at', '>', now)]))
    : stored;
}

/** The status that holds now. */
function statusNow(query: Query, filter: LicenseFilter): Query {
  if (filter.status !== 'expired') return storedStatus(query, filter);
  return query.where((eb) =>
    eb.or([
      eb('l.status', '=', 'expired'),
      eb.and([eb('l.status', '=', 'active'), eb('l.expires_at', '<=', filter.now)]),
    ]),
  );
}

/** Places of living licences, before any filter. */
function living(db: QueryBuilder, p: Bound) {
  return db
    .selectFrom('licenses as l')
    .select(['l.seq as seq', 'l.expires_at as expiresAt'])
    .where('l.realm_id', '=', p.realm)
    .where('l.deleted_at', 'is', null);
}

/** Those that every filter but the status lets through. */
function narrowed(db: QueryBuilder, p: Bound, filter: LicenseFilter): Query {
  const { products, policyId, emails, metadata = [] } = filter;
  let query = living(db, p);
  if (products !== null) query = query.where('l.product_id', 'in', products);
  if (policyId !== undefined) query = query.where('l.policy_id', '=', policyId);
  if (emails !== undefined) query = query.where('l.user_email_index', 'in', emails);
  for (const [number, digests] of metadata.entries()) query = withMetadata(query, number, digests);
  return query;
}

function withMetadata(query: Query, number: number, digests: readonly Buffer[]): Query {
  // kysely types an alias by its text; which of them it is matters to SQL alone.
  const alias = `m${String(number)}` as 'm0';
  const joined = query.innerJoin(`license_metadata as ${alias}`, (join) =>
    join
      .onRef(`${alias}.realm_id`, '=', 'l.realm_id')
      .onRef(`${alias}.license_id`, '=', 'l.id')
      .on(`${alias}.value_hash`, 'in', digests),
  );
  // The joined table narrows the rows and adds no column to what is selected: the type of a row stays what it was.
  return joined;
}

/** Active licences whose time has come, soonest first, after a place in that order. */
export function dueForExpiry(
  reader: RealmReader,
  page: { readonly now: EpochMs; readonly after: readonly [EpochMs, number]; readonly limit: number },
): LicenseSnapshot[] {
  const [expiresAt, seq] = page.after;
  return reader.find((db, p) =>
    snapshots(db, p)
      .where('l.status', '=', 'active')
      .where('l.expires_at', '<=', page.now)
      .where('l.expires_at', '>=', expiresAt)
      .where((eb) => eb.or([eb('l.expires_at', '>', expiresAt), eb('l.seq', '>', seq)]))
      .orderBy('l.expires_at')
      .orderBy('l.seq')
      .limit(page.limit),
  );
}
