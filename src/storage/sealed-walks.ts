import type { Kysely } from 'kysely';
import { type RealmId, SYSTEM_REALM } from './realm-scope.ts';
import type { Schema } from './schema.ts';
import { statement, type Statement, upkeepStatement } from './statement.ts';
import type { TableName } from './tables.ts';
import type { Tx } from './tx.ts';

/** Where a walk over a column stands: the key of the last row it has seen. */
export type Cursor = readonly string[];

/** One sealed value as a walk finds it. */
export interface SealedValue {
  readonly key: Cursor;
  /** The row as its cell is named: bound into the ciphertext. */
  readonly row: string;
  /** null or empty: there is nothing. */
  readonly sealed: Buffer | null;
}

/** A column of values under the data key of their realm, and how it is walked over. */
export interface SealedWalk {
  readonly table: TableName;
  readonly column: string;
  /** At most `limit` rows behind the cursor, by key. Rows of other realms may have been passed over: see `next`. */
  page(tx: Tx, realm: RealmId, at: { readonly after: Cursor | null; readonly limit: number }): SealedPage;
  /** Puts the same value back under another key. */
  replace(tx: Tx, realm: RealmId, value: { readonly key: Cursor; readonly sealed: Buffer }): void;
}

/** A part of a column. */
export interface SealedPage {
  readonly values: readonly SealedValue[];
  /** Where to go on; null: that was the last part. */
  readonly next: Cursor | null;
}

/** The tables that are walked over by one column of their key, as if they were all alike. */
type Alike = Record<string, { realm_id: RealmId; [column: string]: unknown }>;

type PageStatement = Statement<
  { after: string | number; limit: number },
  { key: string | number; row: string; sealed: Buffer | null }
>;

interface Place {
  readonly table: TableName;
  readonly column: string;
  /** Unique in a realm, indexed behind it. */
  readonly key: string;
  /** The column that names the row's cell; default: the key. */
  readonly row?: string;
  readonly numeric?: boolean;
}

/** A column of a realm-owned table that is walked over by one column of its key. */
function keyed({ table, column, key, row = key, numeric = false }: Place): SealedWalk {
  // The one place that names tables and columns by variables: kysely's types know only names that are written out.
  const alike = (db: Kysely<Schema>): Kysely<Alike> => db as unknown as Kysely<Alike>;
  const page = statement<{ after: string | number; limit: number }>()((db, p) =>
    alike(db)
      .selectFrom(table)
      .select([`${key} as key`, `${row} as row`, `${column} as sealed`])
      .where('realm_id', '=', p.realm)
      .where(key, '>', p.after)
      .orderBy(key)
      .limit(p.limit),
  ) as PageStatement; // columns of the schema; a test walks over each
  const replace = upkeepStatement<{ key: string | number; sealed: Buffer }>()((db, p) =>
    alike(db)
      .updateTable(table)
      .set({ [column]: p.sealed })
      .where('realm_id', '=', p.realm)
      .where(key, '=', p.key),
  );
  const typed = (text: string): string | number => (numeric ? Number(text) : text);
  return {
    table,
    column,
    page: (tx, realm, { after, limit }) => {
      const from = after === null ? (numeric ? -1 : '') : typed(after[0] ?? '');
      const rows = tx.in(realm).all(page, { after: from, limit });
      const values = rows.map((found) => ({
        key: [String(found.key)],
        row: found.row,
        sealed: found.sealed,
      }));
      return { values, next: rows.length < limit ? null : (values.at(-1)?.key ?? null) };
    },
    replace: (tx, realm, { key: [id = ''], sealed }) => {
      tx.in(realm).run(replace, { key: typed(id), sealed });
    },
  };
}

const ANSWERS = statement<{ principal: string; route: string; hash: Buffer; limit: number }>()((db, p) =>
  db
    .selectFrom('idempotency')
    .select(['principal', 'route', 'key_hash as hash', 'answer as sealed'])
    .where('realm_id', '=', p.realm)
    .where('principal', '>=', p.principal)
    .where((eb) =>
      eb.or([
        eb('principal', '>', p.principal),
        eb('route', '>', p.route),
        eb.and([eb('route', '=', p.route), eb('key_hash', '>', p.hash)]),
      ]),
    )
    .orderBy('principal')
    .orderBy('route')
    .orderBy('key_hash')
    .limit(p.limit),
);

const REPLACE_ANSWER = upkeepStatement<{ principal: string; route: string; hash: Buffer; sealed: Buffer }>()(
  (db, p) =>
    db
      .updateTable('idempotency')
      .set({ answer: p.sealed })
      .where('realm_id', '=', p.realm)
      .where('principal', '=', p.principal)
      .where('route', '=', p.route)
      .where('key_hash', '=', p.hash),
);

/** Answers kept for repeated requests have no id: their cell is named by whole key. */
const answers: SealedWalk = {
  table: 'idempotency',
  column: 'answer',
  page: (tx, realm, { after, limit }) => {
    const [principal = '', route = '', hash = ''] = after ?? [];
    const rows = tx.in(realm).all(ANSWERS, { principal, route, hash: Buffer.from(hash, 'base64'), limit });
    const values = rows.map((row) => {
      const key = [row.principal, row.route, row.hash.toString('base64')];
      return { key, row: key.join(' '), sealed: row.sealed };
    });
    return { values, next: rows.length < limit ? null : (values.at(-1)?.key ?? null) };
  },
  replace: (tx, realm, { key: [principal = '', route = '', hash = ''], sealed }) => {
    tx.in(realm).run(REPLACE_ANSWER, { principal, route, hash: Buffer.from(hash, 'base64'), sealed });
  },
};

const PRIVATE = statement<{ after: number; limit: number }>()((db, p) =>
  db
    .selectFrom('ledger_private')
    .select(['position', 'realm_id as owner', 'sealed'])
    .where('position', '>', p.after)
    .orderBy('position')
    .limit(p.limit),
);

const REPLACE_PRIVATE = upkeepStatement<{ position: number; sealed: Buffer }>()((db, p) =>
  db.updateTable('ledger_private').set({ sealed: p.sealed }).where('position', '=', p.position),
);

/** The ledger is one for all realms: others' rows are passed over. */
const privateParts: SealedWalk = {
  table: 'ledger_private',
  column: 'sealed',
  page: (tx, realm, { after, limit }) => {
    const rows = tx.all(PRIVATE, { after: after === null ? -1 : Number(after[0]), limit });
    const values = rows
      .filter(({ owner }) => owner === realm)
      .map(({ position, sealed }) => ({ key: [String(position)], row: String(position), sealed }));
    const last = rows.at(-1);
    return { values, next: last === undefined || rows.length < limit ? null : [String(last.position)] };
  },
  replace: (tx, _realm, { key: [position = ''], sealed }) => {
    tx.run(REPLACE_PRIVATE, { position: Number(position), sealed });
  },
};

const CONTACTS = statement<{ after: string; limit: number }>()((db, p) =>
  db
    .selectFrom('tenants')
    .select(['id', 'contact as sealed'])
    .where('id', '>', p.after)
    .orderBy('id')
    .limit(p.limit),
);

const REPLACE_CONTACT = upkeepStatement<{ id: string; sealed: Buffer }>()((db, p) =>
  db.updateTable('tenants').set({ contact: p.sealed }).where('id', '=', p.id),
);

/** Under the appliance's own key, for all tenants. */
const contacts: SealedWalk = {
  table: 'tenants',
  column: 'contact',
  page: (tx, realm, { after, limit }) => {
    if (realm !== SYSTEM_REALM) return { values: [], next: null };
    const rows = tx.all(CONTACTS, { after: after?.[0] ?? '', limit });
    const values = rows.map(({ id, sealed }) => ({ key: [id], row: id, sealed }));
    return { values, next: rows.length < limit ? null : (values.at(-1)?.key ?? null) };
  },
  replace: (tx, _realm, { key: [id = ''], sealed }) => {
    tx.run(REPLACE_CONTACT, { id, sealed });
  },
};

/** A walk over every column of sealed-columns.ts; a test compares the two, and both with the columns there are. */
export const SEALED_WALKS: readonly SealedWalk[] = [
  keyed({ table: 'products', column: 'metadata', key: 'id' }),
  keyed({ table: 'policies', column: 'metadata', key: 'id' }),
  keyed({ table: 'entitlements', column: 'metadata', key: 'id' }),
  keyed({ table: 'licenses', column: 'key_sealed', key: 'id' }),
  keyed({ table: 'licenses', column: 'personal', key: 'id' }),
  keyed({ table: 'machines', column: 'fingerprint_sealed', key: 'id' }),
  keyed({ table: 'machines', column: 'personal', key: 'id' }),
  keyed({ table: 'api_key_usage', column: 'last_used_from', key: 'api_key_id' }),
  keyed({ table: 'usage_log', column: 'address', key: 'seq', row: 'principal', numeric: true }),
  answers,
  privateParts,
  contacts,
];
