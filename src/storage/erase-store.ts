import type { Kysely } from 'kysely';
import type { EpochMs } from '../lib/clock.ts';
import { apiKeysAfter, eraseApiKey, eraseLicenseKey, licenseKeysAfter } from './directory.ts';
import { writeJobState } from './job-state-store.ts';
import { type RealmId, SYSTEM_REALM } from './realm-scope.ts';
import type { Schema } from './schema.ts';
import { statement, type Statement } from './statement.ts';
import type { TableName } from './tables.ts';
import type { Reader, Tx } from './tx.ts';

/** A table whose rows of one realm can be deleted. */
export interface ErasedTable {
  readonly table: TableName;
  /** Deletes at most `limit` rows of the realm. @returns how many; fewer: there are no more */
  readonly erase: (tx: Tx, realm: RealmId, limit: number) => number;
}

type Value = string | number | Buffer;
type Row = Readonly<Record<string, Value>>;
type Keys = Statement<{ limit: number }, Row>;
/** The tables as if they were all alike: named by variables, here and in sealed-walks.ts alone. */
type Alike = Record<string, { realm_id: RealmId; [column: string]: unknown }>;

/** Rows of a table, by columns that are unique in a realm. */
function rowsOf(table: TableName, ...key: readonly string[]): ErasedTable {
  // kysely's types know only names that are written out; a test erases rows of every table.
  const alike = (db: Kysely<Schema>): Kysely<Alike> => db as unknown as Kysely<Alike>;
  const keys = statement<{ limit: number }>()((db, p) =>
    alike(db)
      .selectFrom(table)
      .select([...key])
      .where('realm_id', '=', p.realm)
      .limit(p.limit),
  ) as unknown as Keys; // columns of the schema
  const remove = statement<Record<string, Value>>()((db, p) => {
    const query = alike(db).deleteFrom(table).where('realm_id', '=', p.realm);
    return key.reduce((all, column) => all.where(column, '=', p[column]), query);
  });
  return {
    table,
    erase: (tx, realm, limit) => {
      const rows = tx.in(realm).all(keys, { limit });
      for (const row of rows) tx.in(realm).run(remove, { ...row });
      return rows.length;
    },
  };
}

/**
 * Every table with rows of a realm but the ledger's own, children before their parents. Of the realm itself there remain
 * its number, the leaves of the ledger, which name nobody, and the public halves of its signing keys.
 */
export const ERASED_TABLES: readonly ErasedTable[] = [
  rowsOf('events', 'id'),
  rowsOf('idempotency', 'principal', 'route', 'key_hash'),
  rowsOf('idempotency_usage', 'principal'),
  rowsOf('usage_log', 'seq'),
  rowsOf('usage_totals', 'hour', 'principal', 'route', 'status'),
  rowsOf('ledger_subjects', 'subject', 'position'),
  rowsOf('api_key_usage', 'api_key_id'),
  rowsOf('api_keys', 'id'),
  rowsOf('issued_files', 'id'),
  rowsOf('file_epochs', 'number'),
  rowsOf('revocation_lists', 'number'),
  rowsOf('machine_usage', 'machine_id'),
  rowsOf('machine_components', 'machine_id', 'name'),
  rowsOf('machines', 'id'),
  rowsOf('license_metadata', 'license_id', 'name'),
  rowsOf('license_usage', 'license_id'),
  rowsOf('license_fingerprints', 'license_id', 'fingerprint_hash'),
  rowsOf('license_user_seats', 'license_id', 'user_index'),
  rowsOf('license_seats', 'license_id'),
  rowsOf('license_entitlements', 'license_id', 'entitlement_id'),
  rowsOf('licenses', 'id'),
  rowsOf('policy_entitlements', 'policy_id', 'entitlement_id'),
  rowsOf('metadata_keys', 'product_id', 'name'),
  rowsOf('product_seats', 'product_id'),
  rowsOf('policies', 'id'),
  rowsOf('entitlements', 'id'),
  rowsOf('products', 'id'),
  rowsOf('day_counts', 'kind', 'day', 'name'),
  rowsOf('realm_counters', 'realm_id'),
];

/** Where a walk over rows of all realms stands; null: at the beginning. */
export type ErasePlace = readonly [Buffer | number, RealmId] | null;

/** A part of a walk: where to go on (null: that was the end), and how many rows went. */
export interface ErasedPart {
  readonly next: ErasePlace;
  readonly rows: number;
}

/** A table in another order than by realm: a realm's rows are found by walking over everybody's. */
export interface WalkedTable {
  readonly table: TableName;
  /** Deletes the realm's rows among the next `limit` of all. */
  readonly erase: (
    tx: Tx,
    realm: RealmId,
    at: { readonly place: ErasePlace; readonly limit: number },
  ) => ErasedPart;
}

interface Walking {
  readonly rows: readonly { readonly key: Buffer | number; readonly owner: RealmId }[];
  readonly limit: number;
}

function walked(
  { rows, limit }: Walking,
  realm: RealmId,
  remove: (key: Buffer | number) => void,
): ErasedPart {
  const own = rows.filter(({ owner }) => owner === realm);
  for (const { key } of own) remove(key);
  const last = rows.at(-1);
  const next = last === undefined || rows.length < limit ? null : ([last.key, last.owner] as const);
  return { next, rows: own.length };
}

const PRIVATE = statement<{ after: number; limit: number }>()((db, p) =>
  db
    .selectFrom('ledger_private')
    .select(['position as key', 'realm_id as owner'])
    .where('position', '>', p.after)
    .orderBy('position')
    .limit(p.limit),
);

const REMOVE_PRIVATE = statement<{ position: number }>()((db, p) =>
  db.deleteFrom('ledger_private').where('position', '=', p.position),
);

const NOTHING = Buffer.alloc(0);
const bytesAt = (place: ErasePlace): Buffer => (Buffer.isBuffer(place?.[0]) ? place[0] : NOTHING);
const hashOf = (key: Buffer | number): Buffer => (Buffer.isBuffer(key) ? key : NOTHING);

/** The directories, and the private parts of the ledger. */
export const WALKED_TABLES: readonly WalkedTable[] = [
  {
    table: 'license_directory',
    erase: (tx, realm, { place, limit }) => {
      const after = { key: bytesAt(place), owner: place?.[1] ?? SYSTEM_REALM };
      const rows = licenseKeysAfter(tx, after, limit);
      return walked({ rows, limit }, realm, (key) => {
        eraseLicenseKey(tx, hashOf(key), realm);
      });
    },
  },
  {
    table: 'api_key_directory',
    erase: (tx, realm, { place, limit }) => {
      const rows = apiKeysAfter(tx, bytesAt(place), limit);
      return walked({ rows, limit }, realm, (key) => {
        eraseApiKey(tx, hashOf(key));
      });
    },
  },
  {
    table: 'ledger_private',
    erase: (tx, realm, { place, limit }) => {
      const rows = tx.all(PRIVATE, { after: Number(place?.[0] ?? -1), limit });
      return walked({ rows, limit }, realm, (key) => tx.run(REMOVE_PRIVATE, { position: Number(key) }));
    },
  },
];

const KEYS_GONE = 'keys gone';

const PENDING = statement()((db) =>
  db
    .selectFrom('job_state')
    .select(['job', 'state', 'updated_at as since'])
    .where('job', '>=', 'erase ')
    .where('job', '<', 'erase!')
    .orderBy('job'),
);

const FORGET = statement<{ job: string }>()((db, p) => db.deleteFrom('job_state').where('job', '=', p.job));

/** A tenant that is to be erased and of which something is left. */
export interface PendingErasure {
  readonly tenantId: string;
  /** When that was decided, or when its keys were destroyed. */
  readonly since: EpochMs;
  readonly keysGone: boolean;
}

/** Tenants that are to be erased. */
export function pendingErasures(reader: Pick<Reader, 'all'>): PendingErasure[] {
  return reader.all(PENDING, {}).map(({ job, state, since }) => {
    return { tenantId: job.slice('erase '.length), since, keysGone: state === KEYS_GONE };
  });
}

/** Notes that a tenant is to be erased. */
export function noteErasure(tx: Tx, tenantId: string): void {
  writeJobState(tx, `erase ${tenantId}`, 'pending');
}

/** Notes that its keys are destroyed, in the unit that destroys them. */
export function noteKeysGone(tx: Tx, tenantId: string): void {
  writeJobState(tx, `erase ${tenantId}`, KEYS_GONE);
}

/** Nothing is left of it. */
export function forgetErasure(tx: Tx, tenantId: string): void {
  tx.run(FORGET, { job: `erase ${tenantId}` });
}

const BLANK = statement<{ id: string; now: number }>()((db, p) =>
  db
    .updateTable('tenants')
    .set((eb) => ({
      name: '',
      contact: null,
      status: 'erased',
      trust_bundle: null,
      updated_at: p.now,
      version: eb('version', '+', 1),
    }))
    .where('id', '=', p.id),
);

/** Takes away what a tenant is called and how it is reached; its code stays taken: files in the field bear it. */
export function blankTenant(tx: Tx, id: string): void {
  tx.run(BLANK, { id, now: tx.now });
}

const DROP_DATA_KEYS = statement<{ owner: RealmId }>()((db, p) =>
  db.deleteFrom('data_keys').where('realm_id', '=', p.owner),
);

const DROP_USES = statement<{ owner: RealmId }>()((db, p) =>
  db.deleteFrom('data_key_usage').where('realm_id', '=', p.owner),
);

const DROP_INDEX_KEYS = statement<{ owner: RealmId }>()((db, p) =>
  db.deleteFrom('index_keys').where('realm_id', '=', p.owner),
);

/** Deletes every wrapped key of a realm: from the commit on nobody can open what is under them. The unit records why. */
export function dropRealmKeys(tx: Tx, owner: RealmId): void {
  for (const drop of [DROP_DATA_KEYS, DROP_USES, DROP_INDEX_KEYS]) tx.run(drop, { owner });
}
