import type { EpochMs } from '../../lib/clock.ts';
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
  /** Trusted time: what has expired by now counts as expired. */
  readonly now: EpochMs;
}

/** A page, newest first: licences created before `before` (a `seq`). */
export interface NewestPage {
  readonly before: number;
  readonly limit: number;
}

/** A page in order of expiry, then creation: licences that expire before `until`, after the place of `after`. */
export interface ExpiryPage {
  readonly until: EpochMs;
  readonly after: readonly [EpochMs, number];
  readonly limit: number;
}

type Query = ReturnType<typeof snapshots>;

/** Living licences, newest first. */
export function newestLicenses(
  reader: RealmReader,
  filter: LicenseFilter,
  page: NewestPage,
): LicenseSnapshot[] {
  const stored = reader.find((db, p) =>
    storedStatus(others(snapshots(db, p), filter), filter)
      .where('l.seq', '<', page.before)
      .orderBy('l.seq', 'desc')
      .limit(page.limit),
  );
  if (filter.status !== 'expired') return stored;
  const both = [...stored, ...dueLicenses(reader, filter, page)];
  return both.sort((a, b) => b.seq - a.seq).slice(0, page.limit);
}

/** Living licences in order of expiry, soonest first. */
export function expiringLicenses(
  reader: RealmReader,
  filter: LicenseFilter,
  page: ExpiryPage,
): LicenseSnapshot[] {
  const [expiresAt, seq] = page.after;
  return reader.find((db, p) =>
    statusNow(others(snapshots(db, p), filter), filter)
      .where('l.expires_at', '<', page.until)
      .where('l.expires_at', '>=', expiresAt)
      .where((eb) => eb.or([eb('l.expires_at', '>', expiresAt), eb('l.seq', '>', seq)]))
      .orderBy('l.expires_at')
      .orderBy('l.seq')
      .limit(page.limit),
  );
}

/** Expired by now, and not yet written so: few, found by their expiry; adding 0 keeps the index of all active ones out. */
function dueLicenses(reader: RealmReader, filter: LicenseFilter, page: NewestPage): LicenseSnapshot[] {
  return reader.find((db, p) =>
    others(snapshots(db, p), filter)
      .where('l.status', '=', 'active')
      .where('l.expires_at', '<=', filter.now)
      .where((eb) => eb(eb('l.seq', '+', 0), '<', page.before))
      .orderBy((eb) => eb('l.seq', '+', 0), 'desc')
      .limit(page.limit),
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

function others(query: Query, { productId, policyId, emails }: LicenseFilter): Query {
  let filtered = query;
  if (productId !== undefined) filtered = filtered.where('l.product_id', '=', productId);
  if (policyId !== undefined) filtered = filtered.where('l.policy_id', '=', policyId);
  if (emails !== undefined) filtered = filtered.where('l.user_email_index', 'in', emails);
  return filtered;
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
