import { describe, expect, it } from 'vitest';
import { openTestStorage } from '../support/storage.ts';
import { entry, keepRow, kept, openFaulty, outcomesAfter, setRow, settled } from './batch-fixtures.ts';

describe('rule 1: what follows a unit that throws', () => {
  it('undoes that unit alone and goes on', async () => {
    await using storage = await openTestStorage();
    const units = ['a', 'b', 'c'].map((name) =>
      storage.work.keep(name, (tx) => {
        keepRow(tx, name);
        if (name === 'b') throw new Error('b is broken');
      }),
    );
    expect(await settled(units)).toEqual(['ok', 'b is broken', 'ok']);
    expect(kept(storage)).toEqual(['a', 'c']);
  });

  it('stops when the transaction is gone: nothing is stored, nothing more is run, all get the fault', async () => {
    await using storage = await openTestStorage();
    const { native } = storage.database;
    const pages = native.pragma('page_count', { simple: true });
    native.pragma(`max_page_count = ${String(pages)}`);
    const run: string[] = [];
    const units = ['a', 'b', 'c'].map((name) =>
      storage.work.keep(name, (tx) => {
        run.push(name);
        keepRow(tx, name, name === 'b' ? 'x'.repeat(100_000) : '');
      }),
    );
    expect(await settled(units)).toEqual(['DISK_FULL', 'DISK_FULL', 'DISK_FULL']);
    expect(run).toEqual(['a', 'b']);
    expect(kept(storage)).toEqual([]);
  });

  it('stores nothing of a unit that caught the error and went on', async () => {
    await using storage = await openTestStorage();
    const { native } = storage.database;
    native.pragma(`max_page_count = ${String(native.pragma('page_count', { simple: true }))}`);
    const stubborn = storage.work.keep('stubborn', (tx) => {
      try {
        keepRow(tx, 'large', 'x'.repeat(100_000));
      } catch {
        keepRow(tx, 'after');
      }
    });
    expect(await settled([stubborn])).toEqual(['DISK_FULL']);
    expect(kept(storage)).toEqual([]);
    expect(storage.work.diskFull).toBe(true);
  });

  it('answers nobody when a unit caught an error of the disk', async () => {
    const { storage, faults } = await openFaulty();
    faults.failNext(/job_state/, 'SQLITE_IOERR_WRITE');
    const units = [
      storage.work.keep('a', (tx) => {
        try {
          keepRow(tx, 'a');
        } catch {
          // a unit that thinks it knows better
        }
      }),
      storage.work.keep('b', (tx) => keepRow(tx, 'b')),
    ];
    expect(await outcomesAfter(5, units)).toEqual(['pending', 'pending']);
    expect(storage.fatal).toMatchObject([{ code: 'SQLITE_IOERR_WRITE' }]);
    await storage[Symbol.asyncDispose]();
  });
});

describe('rule 2: nobody is answered before COMMIT has returned', () => {
  it('answers accepted and refused units after it', async () => {
    const { storage, faults } = await openFaulty();
    await using _ = storage;
    const log = faults.executed;
    const units = [
      storage.work.keep('a', (tx) => keepRow(tx, 'a')).then(() => log.push('a answered')),
      storage.work
        .keep('b', () => {
          throw new Error('refused');
        })
        .catch(() => log.push('b answered')),
    ];
    await Promise.all(units);
    expect(log.indexOf('COMMIT')).toBeGreaterThan(0);
    expect(log.slice(log.indexOf('COMMIT'))).toEqual(['COMMIT', 'a answered', 'b answered']);
  });

  it('gives all of them the fault when COMMIT fails, the refused ones too', async () => {
    const { storage, faults } = await openFaulty();
    await using _ = storage;
    faults.failNext(/^COMMIT$/, 'SQLITE_NOMEM');
    const units = [
      storage.work.keep('a', (tx) => keepRow(tx, 'a')),
      storage.work.keep('b', () => {
        throw new Error('refused because of a');
      }),
    ];
    expect(await settled(units)).toEqual(['SQLITE_NOMEM', 'SQLITE_NOMEM']);
    expect(kept(storage)).toEqual([]);
    expect(await settled([storage.work.keep('c', (tx) => keepRow(tx, 'c'))])).toEqual(['ok']);
  });

  it('gives all of them DISK_FULL when COMMIT finds no room', async () => {
    const { storage, faults } = await openFaulty();
    await using _ = storage;
    faults.failNext(/^COMMIT$/, 'SQLITE_FULL');
    const units = ['a', 'b'].map((name) => storage.work.keep(name, (tx) => keepRow(tx, name)));
    expect(await settled(units)).toEqual(['DISK_FULL', 'DISK_FULL']);
    expect(kept(storage)).toEqual([]);
  });
});

describe('rule 3: what a failing disk means', () => {
  it('is read-only while full, tries once a second, and resumes by itself', async () => {
    await using storage = await openTestStorage();
    const { native } = storage.database;
    const pages = Number(native.pragma('page_count', { simple: true }));
    native.pragma(`max_page_count = ${String(pages)}`);
    const write = (name: string, state = ''): Promise<unknown> =>
      storage.work.keep(name, (tx) => keepRow(tx, name, state));
    expect(await settled([write('a', 'x'.repeat(100_000))])).toEqual(['DISK_FULL']);
    native.pragma(`max_page_count = ${String(pages + 1000)}`);
    expect(await settled([write('b')])).toEqual(['DISK_FULL']);
    expect(native.prepare('SELECT count(*) FROM tenants').pluck().get()).toBe(2);
    storage.clock.advance(1000);
    expect(await settled([write('c')])).toEqual(['ok']);
    expect(storage.work.diskFull).toBe(false);
  });

  it('takes a shared-memory file that cannot grow for a full disk', async () => {
    const { storage, faults } = await openFaulty();
    await using _ = storage;
    faults.failNext(/^COMMIT$/, 'SQLITE_IOERR_SHMSIZE');
    expect(await settled([storage.work.keep('a', (tx) => keepRow(tx, 'a'))])).toEqual(['DISK_FULL']);
    expect(storage.fatal).toEqual([]);
  });

  it.each(['SQLITE_IOERR_FSYNC', 'SQLITE_IOERR_WRITE', 'SQLITE_CORRUPT', 'SQLITE_NOTADB'])(
    'answers nobody after %s at COMMIT, and takes no more',
    async (code) => {
      const { storage, faults } = await openFaulty();
      faults.failNext(/^COMMIT$/, code);
      const units = ['a', 'b'].map((name) => storage.work.keep(name, (tx) => keepRow(tx, name)));
      expect(await outcomesAfter(5, units)).toEqual(['pending', 'pending']);
      expect(storage.fatal).toMatchObject([{ code }]);
      const later = storage.work.keep('c', (tx) => keepRow(tx, 'c'));
      expect(await outcomesAfter(5, [later])).toEqual(['pending']);
      expect(storage.fatal.length).toBe(1);
      await storage[Symbol.asyncDispose]();
    },
  );

  it('ends the process when a read finds the file damaged', async () => {
    const { storage, faults } = await openFaulty();
    faults.failNext(/select .* from "realms"/i, 'SQLITE_CORRUPT_INDEX');
    const { listRealms } = await import('../../src/storage/realms.ts');
    expect(() => listRealms(storage.work.read)).toThrow('injected');
    expect(storage.fatal).toMatchObject([{ code: 'SQLITE_CORRUPT_INDEX' }]);
    await storage[Symbol.asyncDispose]();
  });
});

describe('rule 5: memory follows the disk', () => {
  it('changes after COMMIT and before the answer', async () => {
    const { storage, faults } = await openFaulty();
    await using _ = storage;
    await storage.work.keep('a', (tx) => {
      tx.afterCommit(() => faults.executed.push('memory'));
    });
    expect(faults.executed.slice(-2)).toEqual(['COMMIT', 'memory']);
  });

  it('does not change for a unit that was undone, nor for a batch that was not committed', async () => {
    const { storage, faults } = await openFaulty();
    await using _ = storage;
    const changed: string[] = [];
    const unit = (name: string, fails: boolean): Promise<unknown> =>
      storage.work.run(storage.authority(null), (tx) => {
        tx.afterCommit(() => changed.push(name));
        tx.record(entry(name));
        if (fails) throw new Error('no');
      });
    const before = storage.journal.head().size;
    await settled([unit('a', false), unit('b', true), unit('c', false)]);
    expect(changed).toEqual(['a', 'c']);
    expect(storage.journal.head().size).toBe(before + 2);
    faults.failNext(/^COMMIT$/, 'SQLITE_FULL');
    await settled([unit('d', false)]);
    expect(changed).toEqual(['a', 'c']);
    expect(storage.journal.head().size).toBe(before + 2);
  });

  it('knows nothing of entries whose unit was undone after they were written', async () => {
    const { storage, faults } = await openFaulty();
    await using _ = storage;
    const record = (name: string): Promise<void> =>
      storage.work.run(storage.authority(null), (tx) => tx.record(entry(name)));
    const before = storage.journal.head().size;
    faults.failNext(/^RELEASE unit$/, 'SQLITE_ERROR');
    expect(await settled([record('a'), record('b')])).toEqual(['SQLITE_ERROR', 'ok']);
    expect(storage.journal.head().size).toBe(before + 1);
    const positions = storage.database.native.prepare('SELECT position FROM ledger_entries').pluck().all();
    expect(positions).toEqual([0, 1, 2]);
  });

  it('is wrong for good when it cannot follow: nobody is answered from it', async () => {
    const { storage } = await openFaulty();
    const unit = storage.work.keep('a', (tx) => {
      tx.afterCommit(() => {
        throw new Error('a cache is broken');
      });
    });
    expect(await outcomesAfter(5, [unit])).toEqual(['pending']);
    expect(storage.fatal).toMatchObject([{ message: 'a cache is broken' }]);
    await storage[Symbol.asyncDispose]();
  });
});

describe('rule 6: the size of a batch', () => {
  it('is at most 64 units', async () => {
    const { storage, faults } = await openFaulty();
    await using _ = storage;
    const names = Array.from({ length: 200 }, (_unused, i) => `job ${String(i).padStart(3, '0')}`);
    await Promise.all(names.map((name) => storage.work.keep(name, (tx) => keepRow(tx, name))));
    expect(faults.executed.filter((sql) => sql === 'COMMIT')).toHaveLength(4);
    expect(kept(storage)).toEqual(names);
  });

  it('is at most 10 ms, the rest goes on in the next turn, in order', async () => {
    const { storage, faults } = await openFaulty();
    await using _ = storage;
    const order: number[] = [];
    const slow = [1, 2, 3, 4].map((n) =>
      storage.work.keep('slow', () => {
        order.push(n);
        storage.clock.advance(n === 2 ? 11 : 1);
      }),
    );
    await Promise.all(slow);
    expect(order).toEqual([1, 2, 3, 4]);
    expect(faults.executed.filter((sql) => sql === 'COMMIT')).toHaveLength(2);
  });

  it('is one commit for all units of a turn', async () => {
    const { storage, faults } = await openFaulty();
    await using _ = storage;
    await Promise.all(
      [1, 2, 3].map((n) =>
        storage.work.run(storage.authority(null), (tx) => {
          setRow(tx, `key ${String(n)}`);
          tx.record(entry(String(n)));
        }),
      ),
    );
    expect(faults.executed.filter((sql) => sql.startsWith('BEGIN'))).toEqual(['BEGIN IMMEDIATE']);
  });
});
