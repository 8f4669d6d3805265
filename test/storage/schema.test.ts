import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TABLES } from '../../src/storage/tables.ts';
import { columnsOf, referencesOf, schemaText, tableNames } from '../support/schema.ts';
import { openTestStorage, type TestStorage } from '../support/storage.ts';

const GOLDEN = join(import.meta.dirname, 'golden-schema.sql');
const SCHEMA = ['schema.ts', 'licensing-rows.ts']
  .map((file) => readFileSync(join('src/storage', file), 'utf8'))
  .join('\n');
const TYPES: Readonly<Record<string, RegExp>> = {
  INTEGER: /^(Generated<)?(number|RealmId)>?( \| null)?$/,
  TEXT: /^(Generated<)?(string|'.*')>?( \| null)?$/,
  BLOB: /^Buffer( \| null)?$/,
};

interface Declared {
  readonly [column: string]: string;
}

/** What schema.ts says of a table: column → type. */
function declaredColumns(table: string): Declared {
  const row = new RegExp(`^ {2}${table}: (\\w+);`, 'm').exec(SCHEMA)?.[1] ?? 'missing';
  const body = new RegExp(`interface ${row} \\{([^}]*)\\}`).exec(SCHEMA)?.[1] ?? '';
  const lines = body.matchAll(/^ {2}(\w+): (.*);$/gm);
  return Object.fromEntries([...lines].map(([, name = '', type = '']) => [name, type]));
}

const REALM_TABLES = Object.entries(TABLES).flatMap(([name, row]) => (row.scope === 'realm' ? [name] : []));

describe('the schema', () => {
  it('is the golden one; a change is made on purpose, with vitest -u', async () => {
    await using storage = await openTestStorage();
    await expect(schemaText(storage.database)).toMatchFileSnapshot(GOLDEN);
  });

  it('is listed table by table in tables.ts', async () => {
    await using storage = await openTestStorage();
    expect(Object.keys(TABLES).sort()).toEqual(tableNames(storage.database));
  });

  it('is written column by column in schema.ts, with types that fit', async () => {
    await using storage = await openTestStorage();
    for (const table of tableNames(storage.database)) {
      const declared = declaredColumns(table);
      const columns = columnsOf(storage.database, table);
      expect(Object.keys(declared), table).toEqual(columns.map(({ name }) => name));
      for (const { name, type, notnull, pk } of columns) {
        const written = declared[name] ?? '';
        expect(written, `${table}.${name}`).toMatch(TYPES[type] ?? /never/);
        expect(written.endsWith('| null'), `${table}.${name} may be null`).toBe(notnull === 0 && pk === 0);
      }
    }
  });

  it('has STRICT tables and their indexes, and nothing that acts by itself', async () => {
    await using storage = await openTestStorage();
    const { native } = storage.database;
    const acting = native
      .prepare("SELECT name FROM sqlite_schema WHERE type NOT IN ('table', 'index')")
      .all();
    expect(acting).toEqual([]);
    const strict = native
      .prepare("SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict")
      .pluck()
      .all();
    expect(strict).toEqual(expect.arrayContaining(tableNames(storage.database)));
  });

  it('checks references at once: nothing is deferrable, no column of a composite one may be null', async () => {
    await using storage = await openTestStorage();
    expect(schemaText(storage.database)).not.toMatch(/DEFERR/i);
    for (const table of tableNames(storage.database)) {
      const nullable = columnsOf(storage.database, table).filter(
        ({ notnull, pk }) => notnull === 0 && pk === 0,
      );
      for (const { columns } of referencesOf(storage.database, table)) {
        if (columns.length < 2) continue;
        const names = columns.map(({ from }) => from);
        expect(
          nullable.filter(({ name }) => names.includes(name)),
          table,
        ).toEqual([]);
      }
    }
  });
});

describe('realm-owned tables', () => {
  it('all belong to a realm that exists, and are unique by realm and id', async () => {
    await using storage = await openTestStorage();
    for (const table of REALM_TABLES) {
      const realm = columnsOf(storage.database, table).find(({ name }) => name === 'realm_id');
      expect(realm, table).toMatchObject({ type: 'INTEGER', notnull: 1 });
      const parents = referencesOf(storage.database, table).map(({ parent }) => parent);
      expect(parents, table).toContain('realms');
      expect(uniqueByRealm(storage, table), table).toBe(true);
    }
  });

  it('refer to each other by realm and id, in the same realm', async () => {
    await using storage = await openTestStorage();
    for (const table of REALM_TABLES) {
      for (const { parent, columns } of referencesOf(storage.database, table)) {
        if (parent === 'realms') continue;
        expect(columns, `${table} → ${parent}`).toContainEqual({ from: 'realm_id', to: 'realm_id' });
        expect(columns.length, `${table} → ${parent}`).toBe(2);
      }
    }
  });

  it.each(REALM_TABLES)('%s cannot refer to a row of another realm', async (table) => {
    await using storage = await openTestStorage();
    const references = referencesOf(storage.database, table).filter(({ parent }) => parent !== 'realms');
    for (const { parent, columns } of references) {
      const link = columns.find(({ from }) => from !== 'realm_id');
      const parentId = insertFamily(storage, { table: parent, realm: storage.acme.live });
      const links = { [link?.from ?? '']: parentId };
      expect(
        () => insertFamily(storage, { table, realm: storage.globex.live, links }),
        `${table} → ${parent}`,
      ).toThrow('FOREIGN KEY constraint failed');
    }
    // The same row in its own realm is stored: what was refused above was the realm.
    expect(insertFamily(storage, { table, realm: storage.acme.test })).not.toBe('');
  });
});

/** By a unique index that begins with the realm, or by being the one row of its realm. */
function uniqueByRealm(storage: TestStorage, table: string): boolean {
  const key = columnsOf(storage.database, table).filter(({ pk }) => pk > 0);
  if (key.length === 1 && key[0]?.name === 'realm_id') return true;
  const indexes = storage.database.native.pragma(`index_list(${table})`) as {
    name: string;
    unique: number;
    partial: number;
  }[];
  const keys = indexes.filter(({ unique, partial }) => unique === 1 && partial === 0);
  return keys.some(({ name }) => {
    const columns = storage.database.native.pragma(`index_info(${name})`) as { name: string }[];
    return columns[0]?.name === 'realm_id' && columns.length >= 2;
  });
}

let made = 0;

interface Wanted {
  readonly table: string;
  readonly realm: number;
  /** Columns that refer to rows made before, whatever realm those are of. */
  readonly links?: Readonly<Record<string, string>>;
}

/** Inserts a row, with the parents it needs in the same realm unless `links` names others; returns its id. */
function insertFamily(storage: TestStorage, { table, realm, links }: Wanted): string {
  made += 1;
  const id = `row_${String(made)}`;
  const row: Record<string, unknown> = { realm_id: realm };
  for (const { parent, columns } of referencesOf(storage.database, table)) {
    const link = columns.find(({ from }) => from !== 'realm_id');
    if (link !== undefined)
      row[link.from] = links?.[link.from] ?? insertFamily(storage, { table: parent, realm });
  }
  for (const { name, type, notnull, dflt_value } of columnsOf(storage.database, table)) {
    if (row[name] === undefined && notnull === 1 && dflt_value === null)
      row[name] = filler(table, { name, type, id });
  }
  const names = Object.keys(row);
  const holes = names.map(() => '?').join(', ');
  storage.database.native
    .prepare(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${holes})`)
    .run(...Object.values(row));
  return id;
}

/** Values that the CHECKs of the schema accept. */
const CHECKED: Readonly<Record<string, string>> = {
  'licenses.status': 'active',
  'licenses.key_origin': 'generated',
  'day_counts.kind': 'activation',
  'issued_files.kind': 'license',
  'metadata_keys.state': 'ready',
  'api_keys.kind': 'sk',
};

function filler(table: string, column: { name: string; type: string; id: string }): unknown {
  const checked = CHECKED[`${table}.${column.name}`];
  if (checked !== undefined) return checked;
  if (column.type === 'INTEGER') return made;
  return column.type === 'BLOB' ? Buffer.from(column.id) : column.id;
}
