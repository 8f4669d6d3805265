import type { Database } from '../../src/storage/database.ts';

/** Tables of kysely's own book-keeping of migrations, and SQLite's. */
const NOT_OURS = /^(sqlite_|kysely_)/;

/** A column as SQLite describes it. */
export interface Column {
  readonly name: string;
  readonly type: string;
  readonly notnull: number;
  readonly pk: number;
  readonly dflt_value: string | null;
}

/** A reference of one table to another: columns in pairs. */
export interface Reference {
  readonly parent: string;
  readonly columns: readonly { readonly from: string; readonly to: string }[];
}

/** Names of our tables, sorted. */
export function tableNames(database: Database): string[] {
  const names = database.native
    .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
    .pluck()
    .all() as string[];
  return names.filter((name) => !NOT_OURS.test(name));
}

/** The columns of a table, in order. */
export function columnsOf(database: Database, table: string): Column[] {
  return database.native.pragma(`table_info(${table})`) as Column[];
}

/** The references of a table. */
export function referencesOf(database: Database, table: string): Reference[] {
  const rows = database.native.pragma(`foreign_key_list(${table})`) as {
    id: number;
    table: string;
    from: string;
    to: string;
  }[];
  const byId = Map.groupBy(rows, (row) => row.id);
  return [...byId.values()].map((group) => ({
    parent: group[0]?.table ?? '',
    columns: group.map(({ from, to }) => ({ from, to })),
  }));
}

/** The whole schema as SQL text, in order of name. */
export function schemaText(database: Database): string {
  const rows = database.native
    .prepare('SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type DESC, name')
    .all() as { name: string; sql: string }[];
  const ours = rows.filter(({ name }) => !NOT_OURS.test(name));
  return `${ours.map(({ sql }) => `${sql.replaceAll(/\n {2,4}(?=\S)/g, '\n  ')};`).join('\n\n')}\n`;
}
