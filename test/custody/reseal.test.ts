import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DataKeys } from '../../src/custody/data-keys.ts';
import { Kek } from '../../src/custody/kek.ts';
import { type ResealPace, Resealing } from '../../src/custody/reseal.ts';
import type { Cell } from '../../src/custody/sealer.ts';
import { keyVersionOf } from '../../src/custody/value-format.ts';
import { present } from '../../src/lib/invariant.ts';
import { type RealmId, SYSTEM_REALM } from '../../src/storage/realm-scope.ts';
import { SEALED_COLUMNS } from '../../src/storage/sealed-columns.ts';
import { SEALED_WALKS } from '../../src/storage/sealed-walks.ts';
import { TABLES } from '../../src/storage/tables.ts';
import { columnsOf } from '../support/schema.ts';
import {
  addTenant,
  closeKeyStore,
  type KeyStore,
  openKeyStore,
  random,
  recorded,
} from './custody-fixtures.ts';

/** BLOB columns that hold no sealed value, and what they hold. */
const NOT_SEALED: Readonly<Record<string, string>> = {
  'license_directory.key_hash': 'keyed digest',
  'api_key_directory.public_id_hash': 'keyed digest',
  'data_keys.wrapped': 'key under the key-encryption key',
  'index_keys.wrapped': 'key under the key-encryption key',
  'signing_keys.public_key': 'public',
  'write_probe.filler': 'nothing',
  'ledger_entries.bytes': 'the leaf, which names nobody',
  'ledger_entries.hash': 'digest of the leaf',
  'ledger_tiles.hashes': 'digests of leaves',
  'ledger_private.salt': 'random; goes with the row',
  'licenses.key_hash': 'keyed digest',
  'licenses.user_email_index': 'keyed digest',
  'license_metadata.value_hash': 'keyed digest',
  'license_user_seats.user_index': 'keyed digest',
  'license_fingerprints.fingerprint_hash': 'keyed digest',
  'machines.fingerprint_hash': 'keyed digest',
  'machines.public_key': 'public',
  'machines.user_index': 'keyed digest',
  'machine_components.value_hash': 'keyed digest',
  'issued_files.fingerprint_hash': 'keyed digest',
  'issued_files.digest': 'digest of what somebody else has',
  'api_keys.secret_hash': 'keyed digest',
  'api_keys.previous_secret_hash': 'keyed digest',
  'idempotency.key_hash': 'keyed digest',
  'idempotency.body_digest': 'keyed digest',
  'events.body': 'names ids alone',
  'usage_log.subject': 'keyed digest',
};

const PACE: ResealPace = { sliceMs: 4, rest: 0, runMs: 60_000, graceMs: 0 };
const ROWS = 40;
const clock = { monotonic: () => performance.now() };
const SECRET = 'planted-canary';

interface Sealed {
  readonly cell: Cell;
  /** Reads the value as it is stored now. */
  readonly stored: () => Buffer;
}

interface Desk {
  readonly store: KeyStore;
  readonly kek: Kek;
  readonly keys: DataKeys;
  readonly realm: RealmId;
}

/** A realm and the appliance with data keys. */
async function desk(): Promise<Desk> {
  const store = await openKeyStore();
  const kek = Kek.generate(random);
  const keys = new DataKeys({ random });
  keys.begin(kek);
  const realm = await recorded(store, (tx) => {
    const { live } = addTenant(tx, 'ten_1');
    for (const one of [SYSTEM_REALM, live]) keys.create(tx, one);
    return live;
  });
  await keys.start(store.work);
  // Rows are planted table by table, without the rows that they belong to.
  store.database.native.pragma('foreign_keys = OFF');
  store.database.native.pragma('ignore_check_constraints = ON');
  return { store, kek, keys, realm };
}

/** How the cell of a row is named, as its feature names it. */
function cellRow(table: string, row: Readonly<Record<string, unknown>>): string {
  if (table === 'usage_log') return String(row['principal']);
  if (table === 'api_key_usage') return String(row['api_key_id']);
  if (table === 'ledger_private') return String(row['position']);
  if (table !== 'idempotency') return String(row['id']);
  return [row['principal'], row['route'], (row['key_hash'] as Buffer).toString('base64')].join(' ');
}

const keyOf: Readonly<Record<string, string>> = {
  usage_log: 'seq',
  api_key_usage: 'api_key_id',
  ledger_private: 'position',
  idempotency: 'key_hash',
};

let planted = 100;

/** One row of a table with every other column filled with something. */
function plant({ store, keys }: Desk, realm: RealmId, column: { table: string; column: string }): Sealed {
  const { native } = store.database;
  const number = planted++;
  const row: Record<string, unknown> = {};
  for (const { name, type } of columnsOf(store.database, column.table)) {
    if (type === 'INTEGER') row[name] = number;
    else row[name] = type === 'TEXT' ? `${name}-${String(number)}` : Buffer.from(`${name}-${String(number)}`);
  }
  if ('realm_id' in row) row['realm_id'] = realm;
  // The other sealed columns of the table are empty here.
  for (const other of SEALED_WALKS.filter(({ table }) => table === column.table))
    row[other.column] = Buffer.alloc(0);
  const cell = { realm, ...column, row: cellRow(column.table, row) };
  row[column.column] = keys.seal(cell, Buffer.from(`${SECRET} ${cell.row}`));
  const names = Object.keys(row);
  native
    .prepare(`INSERT INTO ${column.table} (${names.join()}) VALUES (${names.map(() => '?').join()})`)
    .run(Object.values(row));
  const key = keyOf[column.table] ?? 'id';
  const read = native.prepare(`SELECT ${column.column} FROM ${column.table} WHERE ${key} = ?`).pluck();
  return { cell, stored: () => read.get(row[key]) as Buffer };
}

/** Rows in every sealed column that a realm has. */
function plantAll(at: Desk, realm: RealmId, rows = ROWS): Sealed[] {
  const columns = SEALED_WALKS.filter(({ table }) => table !== 'tenants' || realm === SYSTEM_REALM);
  // In one transaction: hundreds of commits would take seconds.
  return at.store.database.native.transaction(() =>
    columns.flatMap(({ table, column }) =>
      Array.from({ length: rows }, () => plant(at, realm, { table, column })),
    ),
  )();
}

const rotate = (at: Desk, realm: RealmId) => recorded(at.store, (tx) => at.keys.rotate(tx, realm));

function resealing({ store, keys }: Pick<Desk, 'store' | 'keys'>, pace: Partial<ResealPace> = {}): Resealing {
  const custody = {
    outdatedDataKeys: () => keys.outdated(),
    destroyDataKey: (...of: Parameters<DataKeys['destroy']>) => {
      keys.destroy(...of);
    },
  };
  return new Resealing({ work: store.work, custody, sealer: keys, clock, resealPace: { ...PACE, ...pace } });
}

const versions = ({ store }: Desk, realm: RealmId): unknown[] =>
  store.database.native
    .prepare('SELECT version FROM data_keys WHERE realm_id = ? ORDER BY version')
    .pluck()
    .all(realm);

function expectAllUnder(keys: DataKeys, version: number, values: readonly Sealed[]): void {
  for (const { cell, stored } of values) {
    expect(keyVersionOf(stored()), `${cell.table}.${cell.column}`).toBe(version);
    expect(keys.open(cell, stored()).toString()).toBe(`${SECRET} ${cell.row}`);
  }
}

describe('the list of sealed columns', () => {
  it('has every column that holds bytes, or it is said here what those are', async () => {
    const { store } = await desk();
    const sealed = SEALED_WALKS.map(({ table, column }) => `${table}.${column}`);
    const blobs = Object.keys(TABLES).flatMap((table) =>
      columnsOf(store.database, table)
        .filter(({ type }) => type === 'BLOB')
        .map(({ name }) => `${table}.${name}`),
    );
    expect(SEALED_COLUMNS.map(({ table, column }) => `${table}.${column}`).sort()).toEqual(sealed.toSorted());
    expect([...sealed, ...Object.keys(NOT_SEALED)].sort()).toEqual(blobs.sort());
  });
});

describe('a rotated data key', () => {
  it.each([
    ['of a realm', false],
    ['of the appliance', true],
  ])(
    '%s: every value of every column goes under the new one, and the old one is destroyed',
    async (_name, own) => {
      const at = await desk();
      const realm = own ? SYSTEM_REALM : at.realm;
      const others = plantAll(at, own ? at.realm : SYSTEM_REALM, 3);
      const values = plantAll(at, realm);
      await rotate(at, realm);
      const fresh = plantAll(at, realm, 2);
      const work = resealing(at);
      await work.run();
      expectAllUnder(at.keys, 2, [...values, ...fresh]);
      expectAllUnder(at.keys, 1, others);
      expect(versions(at, realm)).toEqual([2]);
      expect(work.progress()).toEqual([]);
      expect(at.store.entries.at(-1)).toMatchObject({ action: 'data_key.destroyed', target: { id: '1' } });
    },
  );

  it('opens everything after a restart, and nothing of the old one is in the file or its log', async () => {
    const at = await desk();
    const values = plantAll(at, at.realm, 5);
    const wrapped = at.store.database.native
      .prepare('SELECT wrapped FROM data_keys WHERE realm_id = ?')
      .pluck()
      .get(at.realm) as Buffer;
    const before = present(values[0], 'a value').stored();
    await rotate(at, at.realm);
    at.store.database.checkpoint('PASSIVE');
    await resealing(at).run();
    const again = new DataKeys({ random });
    again.unlock(at.kek, at.store.work.read);
    expectAllUnder(again, 2, values);
    await closeKeyStore(at.store);
    const bytes = readFileSync(join(at.store.directory, 'mintmark.db'));
    expect(bytes.includes(present(values[0], 'a value').cell.row)).toBe(true);
    expect(bytes.includes(wrapped)).toBe(false);
    expect(bytes.includes(before)).toBe(false);
  });

  it('is destroyed once, also when the work is killed after any slice', async () => {
    const at = await desk();
    const values = plantAll(at, at.realm, 40);
    await rotate(at, at.realm);
    let keys = at.keys;
    let slices = 0;
    for (; keys.outdated().length > 0 && slices < 5000; slices++) {
      // One slice of one part, and then nothing of this process is left.
      await resealing({ store: at.store, keys }, { sliceMs: 0, runMs: 0.5 }).run();
      keys = new DataKeys({ random });
      keys.unlock(at.kek, at.store.work.read);
      await keys.start(at.store.work);
    }
    expect(slices).toBeGreaterThan(SEALED_WALKS.length);
    expectAllUnder(keys, 2, values);
    expect(versions(at, at.realm)).toEqual([2]);
    expect(at.store.entries.filter(({ action }) => action === 'data_key.destroyed')).toHaveLength(1);
  });

  it('stays while somebody may still store what was sealed before', async () => {
    const at = await desk();
    const values = plantAll(at, at.realm, 3);
    const late = { table: 'licenses', column: 'personal' };
    // Prepared before the rotation, stored behind the walk: at the front of the first column.
    const cell = { realm: at.realm, ...late, row: 'id-0000' };
    const sealed = at.keys.seal(cell, Buffer.from(`${SECRET} id-0000`));
    await rotate(at, at.realm);
    const work = resealing(at, { graceMs: 100, runMs: 50 });
    await work.run();
    expect(versions(at, at.realm)).toEqual([1, 2]);
    const row = plant(at, at.realm, late);
    at.store.database.native
      .prepare('UPDATE licenses SET id = ?, personal = ? WHERE id = ?')
      .run('id-0000', sealed, row.cell.row);
    expect(work.progress()).toMatchObject([{ version: 2, older: [1], unreadable: 0 }]);
    for (let run = 0; run < 50 && at.keys.outdated().length > 0; run++) {
      await work.run();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    expect(versions(at, at.realm)).toEqual([2]);
    const stored = (): Buffer =>
      at.store.database.native
        .prepare("SELECT personal FROM licenses WHERE id = 'id-0000'")
        .pluck()
        .get() as Buffer;
    expectAllUnder(at.keys, 2, [...values, { cell, stored }]);
  });

  it('stays as long as a value under it cannot be opened, and does not stop the others', async () => {
    const at = await desk();
    const [damaged, ...values] = plantAll(at, at.realm, 3);
    at.store.database.native
      .prepare('UPDATE products SET metadata = ? WHERE id = ?')
      .run(Buffer.concat([present(damaged, 'a value').stored(), Buffer.alloc(1)]), damaged?.cell.row);
    await rotate(at, at.realm);
    const work = resealing(at, { runMs: 200, graceMs: 1 });
    await work.run();
    expectAllUnder(at.keys, 2, values);
    expect(versions(at, at.realm)).toEqual([1, 2]);
    expect(at.store.entries.map(({ action }) => action)).not.toContain('data_key.destroyed');
  });
});
