import { setImmediate as nextTurn } from 'node:timers/promises';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { statement } from '../../src/storage/statement.ts';
import { openFaulty } from './batch-fixtures.ts';
import { openTestStorage, type TestStorage } from '../support/storage.ts';

const VALUE = statement<{ key: string }>()((db, p) =>
  db.selectFrom('settings').select('value').where('key', '=', p.key),
);
const WRITE = statement<{ key: string; value: string }>()((db, p) =>
  db
    .insertInto('settings')
    .values({ key: p.key, value: p.value })
    .onConflict((conflict) => conflict.column('key').doUpdateSet({ value: p.value })),
);

const valueOf = ({ work }: TestStorage): string | undefined => work.read.get(VALUE, { key: 'test' })?.value;

/** A write of another connection, as no program of ours does it: it shows which moment a read sees. */
function writeElsewhere({ path }: TestStorage, value: string): void {
  const other = new BetterSqlite3(path);
  other
    .prepare(
      'INSERT INTO settings (key, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value',
    )
    .run('test', value);
  other.close();
}

async function write(storage: TestStorage, value: string): Promise<void> {
  await storage.work.run(storage.authority(null), (tx) => {
    tx.run(WRITE, { key: 'test', value });
    tx.record({
      realm: null,
      action: 'test.written',
      target: { kind: 'appliance', id: '-' },
      outcome: 'done',
    });
  });
}

describe('reads of one turn of the event loop', () => {
  it('see one moment; the next turn sees what has come since', async () => {
    await using storage = await openTestStorage();
    writeElsewhere(storage, 'first');
    expect(valueOf(storage)).toBe('first');
    writeElsewhere(storage, 'second');
    expect(valueOf(storage)).toBe('first');
    await nextTurn();
    await nextTurn();
    expect(valueOf(storage)).toBe('second');
  });

  it('see what was committed before, as soon as it is answered', async () => {
    await using storage = await openTestStorage();
    for (const value of ['a', 'b', 'c']) {
      expect(valueOf(storage)).not.toBe(value);
      await write(storage, value);
      expect(valueOf(storage)).toBe(value);
    }
  });

  it('hold up neither a unit of work nor a checkpoint nor the end', async () => {
    await using storage = await openTestStorage();
    await write(storage, 'kept');
    expect(valueOf(storage)).toBe('kept');
    expect(storage.database.inTransaction).toBe(false);
    expect(storage.database.checkpoint('TRUNCATE')).toBe(true);
    expect(valueOf(storage)).toBe('kept');
    expect(storage.database.native.inTransaction).toBe(false);
    expect(valueOf(storage)).toBe('kept');
    storage.database.close();
    await nextTurn();
  });

  it('are over when a transaction begins in the same turn', async () => {
    await using storage = await openTestStorage();
    await write(storage, 'kept');
    expect(valueOf(storage)).toBe('kept');
    storage.database.exec('BEGIN IMMEDIATE');
    expect(storage.database.inTransaction).toBe(true);
    storage.database.exec('ROLLBACK');
  });

  it('tell of a disk that fails when they end, and throw at nobody', async () => {
    const { storage, faults } = await openFaulty();
    await using _ = storage;
    expect(valueOf(storage)).toBeUndefined();
    faults.failNext(/^END/, 'SQLITE_IOERR_READ');
    await nextTurn();
    await nextTurn();
    expect(storage.fatal.map(({ message }) => message)).toEqual(['injected into END']);
  });
});
