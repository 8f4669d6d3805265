import { describe, expect, it } from 'vitest';
import { statement } from '../../src/storage/statement.ts';
import type { Tx } from '../../src/storage/tx.ts';
import { openTestStorage } from '../support/storage.ts';
import { entry, keepRow, kept, setRow } from './batch-fixtures.ts';

const COUNT_EVENTS = statement()((db, p) =>
  db
    .selectFrom('events')
    .select((eb) => eb.fn.countAll<number>().as('n'))
    .where('realm_id', '=', p.realm),
);
const FORGET = statement()((db, p) => db.deleteFrom('events').where('realm_id', '=', p.realm));
const FORGET_ROWS = statement()((db) => db.deleteFrom('job_state'));

describe('a unit of work', () => {
  it('answers with what it returned, once it is durable', async () => {
    await using storage = await openTestStorage();
    const value = await storage.work.run(storage.authority(null), (tx) => {
      tx.record(entry('1'));
      setRow(tx, 'color');
      return { color: 'blue' };
    });
    expect(value).toEqual({ color: 'blue' });
    expect(storage.database.native.prepare('SELECT key FROM settings').pluck().all()).toEqual(['color']);
  });

  it('may not change a recorded table without an entry: it is undone', async () => {
    await using storage = await openTestStorage();
    const silent = storage.work.run(storage.authority(null), (tx) => setRow(tx, 'color'));
    await expect(silent).rejects.toThrow('a recorded table changed without a ledger entry');
    expect(storage.database.native.prepare('SELECT key FROM settings').all()).toEqual([]);
  });

  it('that keeps books has no access to recorded tables, and writes no entries', async () => {
    await using storage = await openTestStorage();
    const changing = storage.work.keep('job', (tx) => setRow(tx, 'color'));
    await expect(changing).rejects.toThrow('recorded tables are written by work.run only');
    const recording = storage.work.keep('job', (tx) => tx.record(entry('1')));
    await expect(recording).rejects.toThrow('inside a unit that may record');
  });

  it('is synchronous: a promise is refused by its type, and at run time', async () => {
    await using storage = await openTestStorage();
    // @ts-expect-error a unit that awaits could be interleaved with its own transaction
    const awaiting: Promise<unknown> = storage.work.keep('job', async (tx) => {
      keepRow(tx, 'a');
      await Promise.resolve();
    });
    await expect(awaiting).rejects.toThrow('a unit of work is synchronous');
    expect(kept(storage)).toEqual([]);
  });

  it('is over when it is over: a kept Tx does nothing any more', async () => {
    await using storage = await openTestStorage();
    const leaked: Tx[] = [];
    await storage.work.keep('job', (tx) => void leaked.push(tx));
    const [tx] = leaked;
    expect(() => tx && keepRow(tx, 'late')).toThrow('the unit of work is over');
    expect(() => tx?.in(storage.acme.live).get(COUNT_EVENTS, {})).toThrow('the unit of work is over');
    expect(() => tx?.afterCommit(() => undefined)).toThrow('named inside the unit');
    await expect(
      storage.work.keep('other', () => {
        if (tx) keepRow(tx, 'late');
      }),
    ).rejects.toThrow('the unit of work is over');
    expect(kept(storage)).toEqual([]);
  });

  it('in the name of a realm touches that realm only', async () => {
    await using storage = await openTestStorage();
    const { acme, globex } = storage;
    const own = storage.work.run(
      storage.authority(acme.live),
      (tx) => tx.in(acme.live).get(COUNT_EVENTS, {})?.n,
    );
    expect(await own).toBe(0);
    const other = storage.work.run(storage.authority(acme.live), (tx) =>
      tx.in(globex.live).get(COUNT_EVENTS, {}),
    );
    await expect(other).rejects.toThrow('touches that realm only');
  });

  it('does not write by reading', async () => {
    await using storage = await openTestStorage();
    expect(() => storage.work.read.all(FORGET_ROWS as never, {})).toThrow('all only reads');
    expect(() => storage.work.read.in(storage.acme.live).get(FORGET as never, {})).toThrow('get only reads');
    const hidden = storage.work.keep('job', (tx) => tx.get(FORGET_ROWS, {}) ?? null);
    await expect(hidden).rejects.toThrow('get only reads');
  });

  it('is turned away when too many wait, and after the work has stopped', async () => {
    await using storage = await openTestStorage();
    const waiting = Array.from({ length: 8192 }, () => storage.work.keep('job', () => undefined));
    expect(storage.work.waiting).toBe(8192);
    await expect(storage.work.keep('one more', () => undefined)).rejects.toMatchObject({
      code: 'OVERLOADED',
      retryAfterMs: 1000,
    });
    await Promise.all(waiting);
    const last = storage.work.keep('last', (tx) => keepRow(tx, 'last'));
    await storage.work.stop();
    await expect(last).resolves.toBeUndefined();
    await expect(storage.work.keep('late', () => undefined)).rejects.toMatchObject({ code: 'OVERLOADED' });
    expect(kept(storage)).toEqual(['last']);
  });
});
