import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyExport, verifyStored } from '../../src/ledger/index.ts';
import { readIdentity } from '../../src/daemon/identity.ts';
import { Database } from '../../src/storage/database.ts';
import { readerOf } from '../../src/storage/tx.ts';
import { inParallel } from '../support/clients.ts';
import { dataOf, type RunningDaemon, startDaemon, temporaryDirectory } from '../support/daemon.ts';
import { sendAsOperator } from '../support/operator-socket.ts';
import { reach, type Reach, stockUp } from '../support/stock.ts';

const directory = temporaryDirectory();
const at = (name: string): string => join(directory.path, name);
const database = at('appliance/data/mintmark.db');
const LANES = 32;
/** Every bit of a sealed value is flipped in a row of its own: so many rows have what is longest. */
const ROWS = 900;
const NAME = 'Canary';
/** Every bit of an entry is flipped in test/ledger; here, in real files, some of them. */
const STRIDE = 7;

/** A sealed column, how its rows are made, and the request that must open it. */
interface Column {
  readonly table: 'licenses' | 'machines';
  readonly column: 'personal' | 'key_sealed';
  readonly ids: string[];
  readonly open: (to: Reach, id: string) => ReturnType<Reach['get']>;
}

const personal: Column = {
  ...{ table: 'licenses', column: 'personal', ids: [] },
  open: (to, id) => to.get(`/licenses/${id}`),
};
const key: Column = {
  ...{ table: 'licenses', column: 'key_sealed', ids: [] },
  open: (to, id) => to.post(`/licenses/${id}/reveal`),
};
const machine: Column = {
  ...{ table: 'machines', column: 'personal', ids: [] },
  open: (to, id) => to.get(`/machines/${id}`),
};
const COLUMNS = [personal, key, machine];

let daemon: RunningDaemon;
let to: Reach;

beforeAll(async () => {
  daemon = await startDaemon(at('appliance'));
  const stock = await stockUp({ url: daemon.url, key: daemon.live.secretKey }, 'flips', {
    maxMachines: ROWS,
  });
  const { id: holder } = await stock.license();
  await inParallel(ROWS, LANES, async (number) => {
    personal.ids.push((await stock.license({ name: NAME })).id);
    if (number < ROWS / 2) key.ids.push((await stock.license()).id);
    const body = { fingerprint: `machine-${String(number)}`, name: NAME };
    machine.ids.push(String((await dataOf(stock.post(`/licenses/${holder}/machines`, body)))['id']));
  });
  mkdirSync(at('export'));
  const wanted = { method: 'POST', path: '/system/audit-exports', body: { directory: at('export') } };
  await dataOf(sendAsOperator(at('appliance/data'), wanted));
  expect(await daemon.stop()).toBe(0);
  cpSync(database, at('ledger.db'));
  for (const column of COLUMNS) flipEachBit(column);
  daemon = await startDaemon(at('appliance'));
  to = reach({ url: daemon.url, key: daemon.live.secretKey });
});

afterAll(async () => {
  expect(await daemon.stop()).toBe(0);
  directory[Symbol.dispose]();
});

/** Flips the n-th bit in the n-th row, and drops from the list the rows for which there is no bit. */
function flipEachBit({ table, column, ids }: Column): void {
  const handle = new BetterSqlite3(database);
  try {
    const read = handle.prepare<[string], Buffer>(`SELECT ${column} FROM ${table} WHERE id = ?`).pluck();
    const write = handle.prepare(`UPDATE ${table} SET ${column} = ? WHERE id = ?`);
    const bits = (read.get(ids[0] ?? '')?.length ?? 0) * 8;
    // The last one stays as it was, so that it can be seen that the others could have been opened.
    expect(ids.length, `${table}.${column} has ${String(bits)} bits`).toBeGreaterThan(bits);
    ids.length = bits + 1;
    handle.transaction(() => {
      for (const [bit, id] of ids.slice(0, bits).entries()) write.run(flipped(read.get(id), bit), id);
    })();
  } finally {
    handle.close();
  }
}

function flipped(bytes: Buffer | undefined, bit: number): Buffer {
  const copy = Buffer.from(bytes ?? []);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

describe('a sealed value of which one bit was flipped on the disk', () => {
  it.each(COLUMNS)(
    'in $table.$column is answered with a clear error, never with other content',
    async (column) => {
      const untouched = column.ids.at(-1) ?? '';
      expect((await column.open(to, untouched)).status).toBe(200);
      const wrong: string[] = [];
      await inParallel(column.ids.length - 1, LANES, async (bit) => {
        const { status, body } = await column.open(to, column.ids[bit] ?? '');
        if (status === 500 && body['code'] === 'KEY_STORAGE' && body['data'] === undefined) return;
        wrong.push(`bit ${String(bit)}: ${String(status)} ${JSON.stringify(body).slice(0, 200)}`);
      });
      expect(wrong).toEqual([]);
    },
  );

  it('does not stop anything else', async () => {
    const made = await to.post('/entitlements', { code: 'afterwards', name: 'Afterwards' });
    expect(made.status).toBe(201);
    expect((await fetch(`${daemon.url}/ready`)).status).toBe(200);
  });
});

describe('a ledger entry of which one bit was flipped', () => {
  it('is found where it is stored', () => {
    const handle = new BetterSqlite3(at('ledger.db'));
    const reader = Database.openReader(at('ledger.db'));
    try {
      const deps = { reader: readerOf(reader), origin: readIdentity(readerOf(reader)).origin };
      expect(verifyStored(deps).problems).toEqual([]);
      // A ledger of a few entries: its verification runs once per bit.
      trim(handle);
      expect(verifyStored(deps).problems).toEqual([]);
      const bytes = handle
        .prepare<[], Buffer>('SELECT bytes FROM ledger_entries WHERE position = 5')
        .pluck()
        .get();
      const write = handle.prepare('UPDATE ledger_entries SET bytes = ? WHERE position = 5');
      for (let bit = 0; bit < (bytes?.length ?? 0) * 8; bit += STRIDE) {
        write.run(flipped(bytes, bit));
        expect(verifyStored(deps).problems.length, `bit ${String(bit)}`).toBeGreaterThan(0);
      }
      write.run(bytes);
      expect(verifyStored(deps).problems).toEqual([]);
    } finally {
      reader.close();
      handle.close();
    }
  });

  it('is found in an export', async () => {
    const path = at('export/entries.jsonl');
    const original = readFileSync(path);
    expect((await verifyExport(at('export'))).problems).toEqual([]);
    const bits = original.length * 8;
    // Spread over the whole file, whatever its length: each verification reads all of it.
    const step = Math.floor(bits / 60) | 1;
    for (let bit = 0; bit < bits; bit += step) {
      writeFileSync(path, flipped(original, bit));
      expect((await verifyExport(at('export'))).problems.length, `bit ${String(bit)}`).toBeGreaterThan(0);
    }
    writeFileSync(path, original);
  });
});

/** Cuts the ledger off behind its first checkpoint. */
function trim(handle: BetterSqlite3.Database): void {
  const size = Number(handle.prepare('SELECT min(size) FROM ledger_checkpoints').pluck().get());
  expect(size).toBeGreaterThan(5);
  handle.prepare('DELETE FROM ledger_entries WHERE position >= ?').run(size);
  handle.prepare('DELETE FROM ledger_checkpoints WHERE size > ?').run(size);
  handle.prepare('DELETE FROM ledger_tiles').run();
}
