import type { Database } from './database.ts';
import type { TableName } from './tables.ts';

/** A column of sealed values, and the column that says of which realm they are; null: the system realm's. */
export interface SealedColumn {
  readonly table: TableName;
  readonly column: string;
  readonly realm: 'realm_id' | null;
}

const sealed = (table: TableName, column: string, realm: SealedColumn['realm'] = 'realm_id') => ({
  table,
  column,
  realm,
});

/** Every column whose values are sealed; an empty value is one that a purge has emptied. */
export const SEALED_COLUMNS: readonly SealedColumn[] = [
  sealed('tenants', 'contact', null),
  sealed('ledger_private', 'sealed'),
  sealed('products', 'metadata'),
  sealed('policies', 'metadata'),
  sealed('entitlements', 'metadata'),
  sealed('licenses', 'key_sealed'),
  sealed('licenses', 'personal'),
  sealed('machines', 'fingerprint_sealed'),
  sealed('machines', 'personal'),
  sealed('api_key_usage', 'last_used_from'),
  sealed('idempotency', 'answer'),
  sealed('usage_log', 'address'),
];

/** Sealed values whose data key is not there, as sentences. Reads whole tables: not in the thread that serves. */
export function valuesWithoutKey({ native }: Database): string[] {
  return SEALED_COLUMNS.flatMap(({ table, column, realm }) => {
    // Second and third byte of a sealed value: the version of its key (custody/value-format.ts).
    const sql = `SELECT count(*) FROM ${table} t WHERE length(t.${column}) > 0 AND NOT EXISTS (
      SELECT 1 FROM data_keys d WHERE d.realm_id = ${realm === null ? '0' : `t.${realm}`}
        AND substr(hex(t.${column}), 3, 4) = printf('%04X', d.version))`;
    const count = Number(native.prepare(sql).pluck().get());
    return count === 0
      ? []
      : [`${String(count)} values of ${table}.${column} name a data key that is not there`];
  });
}
