import type { EpochMs } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { QueryBuilder } from '../../storage/statement.ts';
import type { RealmReader } from '../../storage/tx.ts';
import { snapshots } from './license-store.ts';
import type { LicenseSnapshot, LicenseStatus } from './license.ts';

/** Which licences a list shows. Members that are absent filter nothing. */
export interface LicenseFilter {
  readonly productId?: string | undefined;
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

type Query = ReturnType<typeof snapshots>;
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

/** Living licences in order of creation. */
export function licensesByCreation(
  reader: RealmReader,
  filter: LicenseFilter,
  page: LicensePage<CreationOrder>,
): LicenseSnapshot[] {
  const { order, limit } = page;
  const { beyond, way } = directionOf(order.descending);
  // With metadata the order is that of its index, so that a page reads no more than it shows.
  const key = filter.metadata === undefined || filter.metadata.length === 0 ? 'l.seq' : 'm0.license_seq';
  const stored = reader.find((db, p) => {
    const place = db.dynamic.ref<'l.seq'>(key);
    return storedStatus(narrowed(db, p, filter), filter)
      .where(place, beyond, order.after)
      .orderBy(place, way)
      .limit(limit);
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
  return reader.find((db, p) => {
    let query = statusNow(narrowed(db, p, filter), filter).where('l.expires_at', 'is not', null);
    if (order.until !== null) query = query.where('l.expires_at', '<', order.until);
    if (place !== null) {
      query = query
        .where('l.expires_at', order.descending ? '<=' : '>=', place)
        .where((eb) => eb.or([eb('l.expires_at', beyond, place), eb('l.seq', beyond, seq)]));
    }
    return query.orderBy('l.expires_at', way).orderBy('l.seq', way).limit(limit);
  });
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
  return reader.find((db, p) =>
    statusNow(narrowed(db, p, filter), filter)
      .where('l.expires_at', 'is', null)
      .where('l.seq', beyond, after)
      .orderBy('l.seq', way)
      .limit(limit),
  );
}

/** Expired by now, and not yet written so: few, found by their expiry; adding 0 keeps the index of all active ones out. */
function dueLicenses(
  reader: RealmReader,
  filter: LicenseFilter,
  { order, limit }: LicensePage<CreationOrder>,
): LicenseSnapshot[] {
  const { beyond, way } = directionOf(order.descending);
  return reader.find((db, p) =>
    narrowed(db, p, filter)
      .where('l.status', '=', 'active')
      .where('l.expires_at', '<=', filter.now)
      .where((eb) => eb(eb('l.seq', '+', 0), beyond, order.after))
      .orderBy((eb) => eb('l.seq', '+', 0), way)
      .limit(limit),
  );
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

/** Living licences that every filter but the status lets through. */
function narrowed(db: QueryBuilder, p: Bound, filter: LicenseFilter): Query {
  const { productId, policyId, emails, metadata = [] } = filter;
  let query = snapshots(db, p);
  if (productId !== undefined) query = query.where('l.product_id', '=', productId);
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
