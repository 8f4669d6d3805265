import type { Indexer, Sealer } from '../../custody/sealer.ts';
import type { EpochMs } from '../../lib/clock.ts';
import { type RealmId, SYSTEM_REALM } from '../../storage/realm-scope.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';
import type { UseRow, UseTotal } from './use.ts';

/** A row as it is stored. */
export interface SealedUse extends Omit<UseRow, 'realm' | 'address' | 'subject'> {
  /** Sealed. */
  readonly address: Buffer;
  /** Keyed digest of the id the request was about. */
  readonly subject: Buffer | null;
}

/** A stored row with its place in the log. */
export interface StoredUse extends Omit<SealedUse, 'subject'> {
  readonly seq: number;
}

/** Where to go on reading, from the newest: rows before `before`. */
export interface UsagePlace {
  readonly before: number;
  readonly limit: number;
}

/** Half of a digest tells ids apart as well as the whole, and there are many of them. */
const DIGEST_BYTES = 16;
/** The row of the totals that counts the rows of the log: no request is of hour 0. */
const ROWS = { hour: 0, principal: '', route: '', status: 0 } as const;
const COLUMNS = ['seq', 'principal', 'at', 'route', 'status', 'count', 'address'] as const;

const INSERT = statement<Omit<SealedUse, 'seq'>>()((db, p) =>
  db.insertInto('usage_log').values({
    realm_id: p.realm,
    principal: p.principal,
    at: p.at,
    route: p.route,
    status: p.status,
    count: p.count,
    address: p.address,
    subject: p.subject,
  }),
);

const ADD = statement<Omit<UseTotal, 'realm'>>()((db, p) =>
  db
    .insertInto('usage_totals')
    .values({
      realm_id: p.realm,
      hour: p.hour,
      principal: p.principal,
      route: p.route,
      status: p.status,
      count: p.count,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['realm_id', 'hour', 'principal', 'route', 'status'])
        .doUpdateSet((eb) => ({ count: eb('usage_totals.count', '+', p.count) })),
    ),
);

const ALL = statement<UsagePlace>()((db, p) =>
  db
    .selectFrom('usage_log')
    .select(COLUMNS)
    .where('realm_id', '=', p.realm)
    .where('seq', '<', p.before)
    .orderBy('seq', 'desc')
    .limit(p.limit),
);

const OF_PRINCIPAL = statement<UsagePlace & { principal: string }>()((db, p) =>
  db
    .selectFrom('usage_log')
    .select(COLUMNS)
    .where('realm_id', '=', p.realm)
    .where('principal', '=', p.principal)
    .where('seq', '<', p.before)
    .orderBy('seq', 'desc')
    .limit(p.limit),
);

const OF_SUBJECT = statement<UsagePlace & { subject: Buffer }>()((db, p) =>
  db
    .selectFrom('usage_log')
    .select(COLUMNS)
    .where('realm_id', '=', p.realm)
    .where('subject', '=', p.subject)
    .where('subject', 'is not', null)
    .where('seq', '<', p.before)
    .orderBy('seq', 'desc')
    .limit(p.limit),
);

const TOTALS = statement<{ beforeHour: number; afterHour: number; limit: number }>()((db, p) =>
  db
    .selectFrom('usage_totals')
    .select(['hour', 'principal', 'route', 'status', 'count'])
    .where('realm_id', '=', p.realm)
    .where('hour', '<', p.beforeHour)
    .where('hour', '>=', p.afterHour)
    .orderBy('hour', 'desc')
    .orderBy('principal')
    .orderBy('route')
    .orderBy('status')
    .limit(p.limit),
);

const OLDEST = statement<{ limit: number }>()((db, p) =>
  db
    .selectFrom('usage_log')
    .select(['seq', 'at'])
    .where('realm_id', '=', p.realm)
    .orderBy('seq')
    .limit(p.limit),
);

const DELETE = statement<{ upTo: number }>()((db, p) =>
  db.deleteFrom('usage_log').where('realm_id', '=', p.realm).where('seq', '<=', p.upTo),
);

const DELETE_TOTALS = statement<{ beforeHour: number; afterHour: number }>()((db, p) =>
  db
    .deleteFrom('usage_totals')
    .where('realm_id', '=', p.realm)
    .where('hour', '<', p.beforeHour)
    .where('hour', '>', p.afterHour),
);

const COUNTED = statement<Pick<UseTotal, 'hour' | 'principal' | 'route' | 'status'>>()((db, p) =>
  db
    .selectFrom('usage_totals')
    .select('count')
    .where('realm_id', '=', p.realm)
    .where('hour', '=', p.hour)
    .where('principal', '=', p.principal)
    .where('route', '=', p.route)
    .where('status', '=', p.status),
);

const SUBJECT = { purpose: 'lookup', table: 'usage_log', column: 'subject' } as const;

/** The keyed digest under which requests about an id are found; the current version of the index key. */
export function subjectDigest(indexer: Pick<Indexer, 'digest'>, realm: RealmId, id: string): Buffer {
  return indexer.digest(realm, SUBJECT, id).digest.subarray(0, DIGEST_BYTES);
}

/** The same under every live version. */
export function subjectCandidates(
  indexer: Pick<Indexer, 'candidates'>,
  realm: RealmId,
  id: string,
): readonly Buffer[] {
  return indexer.candidates(realm, SUBJECT, id).map(({ digest }) => digest.subarray(0, DIGEST_BYTES));
}

/** Seals an address for the rows of one caller. */
export function sealAddress(
  sealer: Pick<Sealer, 'seal'>,
  of: { readonly realm: RealmId; readonly principal: string },
  address: string,
): Buffer {
  return sealer.seal(addressCell(of), Buffer.from(address));
}

/** Opens the address of a row. */
export function openAddress(
  sealer: Pick<Sealer, 'open'>,
  of: { readonly realm: RealmId; readonly principal: string },
  address: Buffer,
): string {
  return sealer.open(addressCell(of), address).toString('utf8');
}

/** The realm of the appliance itself: what belongs to no tenant is kept there. */
export function systemRealm(): RealmId {
  return SYSTEM_REALM;
}

/** Adds a row to the log; `countRows` is to be told of it in the same unit. */
export function insertUse(tx: RealmTx, use: SealedUse): void {
  const { principal, at, route, status, count, address, subject } = use;
  tx.run(INSERT, { principal, at, route, status, count, address, subject });
}

/** Adds to the number of rows that the log has of a realm. */
export function countRows(tx: RealmTx, more: number): void {
  tx.run(ADD, { ...ROWS, count: more });
}

/** Adds to the number of an hour. */
export function addTotal(tx: RealmTx, total: Omit<UseTotal, 'realm'>): void {
  const { hour, principal, route, status, count } = total;
  tx.run(ADD, { hour, principal, route, status, count });
}

/** Rows of the log, newest first. */
export function usesBefore(reader: RealmReader, place: UsagePlace): StoredUse[] {
  return reader.all(ALL, place);
}

/** Rows of one caller, newest first. */
export function usesOf(reader: RealmReader, principal: string, place: UsagePlace): StoredUse[] {
  return reader.all(OF_PRINCIPAL, { principal, ...place });
}

/** Rows about one id, newest first. */
export function usesAbout(reader: RealmReader, digests: readonly Buffer[], place: UsagePlace): StoredUse[] {
  const found = digests.flatMap((subject) => reader.all(OF_SUBJECT, { subject, ...place }));
  return found.sort((a, b) => b.seq - a.seq).slice(0, place.limit);
}

/** Numbers of the hours from `afterHour` on and before `beforeHour`, newest first. */
export function totalsBefore(
  reader: RealmReader,
  range: { readonly beforeHour: number; readonly afterHour: number; readonly limit: number },
): Omit<UseTotal, 'realm'>[] {
  return reader.all(TOTALS, { ...range, afterHour: Math.max(range.afterHour, ROWS.hour + 1) });
}

/**
 * Deletes the oldest rows of a realm: those up to `cutoff`, and those beyond the newest `keep`; at most `limit` of them.
 * @returns how many
 */
export function purgeUses(
  tx: RealmTx,
  due: { readonly cutoff: EpochMs; readonly keep: number; readonly limit: number },
): number {
  const surplus = (tx.get(COUNTED, ROWS)?.count ?? 0) - due.keep;
  const oldest = tx.all(OLDEST, { limit: due.limit });
  const leaving = oldest.filter(({ at }, index) => at <= due.cutoff || index < surplus);
  const last = leaving.at(-1);
  if (last === undefined) return 0;
  const { changes } = tx.run(DELETE, { upTo: last.seq });
  countRows(tx, -changes);
  return changes;
}

/** Deletes the numbers of hours before `beforeHour`. */
export function purgeTotals(tx: RealmTx, beforeHour: number): void {
  tx.run(DELETE_TOTALS, { beforeHour, afterHour: ROWS.hour });
}

function addressCell(of: {
  readonly realm: RealmId;
  readonly principal: string;
}): Parameters<Sealer['seal']>[0] {
  return { realm: of.realm, table: 'usage_log', column: 'address', row: of.principal };
}
