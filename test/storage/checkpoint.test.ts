import { existsSync, statSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Database } from '../../src/storage/database.ts';
import { openTestStorage, type TestStorage } from '../support/storage.ts';
import { keepRow, kept, openFaulty, settled } from './batch-fixtures.ts';

const BLOCK = 'x'.repeat(512 * 1024);

async function write(storage: TestStorage, megabytes: number): Promise<void> {
  const from = kept(storage).length;
  for (let i = 0; i < megabytes * 2; i++) {
    await storage.work.keep('fill', (tx) => keepRow(tx, `job ${String(from + i).padStart(6, '0')}`, BLOCK));
  }
}

describe('the settings durability rests on', () => {
  it('are on, read back from the connection', async () => {
    await using storage = await openTestStorage();
    const { native } = storage.database;
    const read = (name: string): unknown => native.pragma(name, { simple: true });
    expect({
      journal: read('journal_mode'),
      synchronous: read('synchronous'),
      references: read('foreign_keys'),
      checkpoint: read('wal_autocheckpoint'),
      timeout: read('busy_timeout'),
      mmap: read('mmap_size'),
      trusted: read('trusted_schema'),
      secure: read('secure_delete'),
      cells: read('cell_size_check'),
      temp: read('temp_store'),
    }).toEqual({
      journal: 'wal',
      synchronous: 2,
      references: 1,
      checkpoint: 0,
      timeout: 0,
      mmap: 0,
      trusted: 0,
      secure: 1,
      cells: 1,
      temp: 2,
    });
  });
});

describe('checkpoints', () => {
  it('wait until 4 MB of log are there, and happen after answering', async () => {
    await using storage = await openTestStorage();
    storage.work.emptyLog();
    await write(storage, 3);
    expect(storage.database.pendingFrames()).toBeGreaterThan(700);
    while (storage.database.pendingFrames() < 1024) await write(storage, 0.5);
    const framesAtAnswer = storage.database.pendingFrames();
    await new Promise(setImmediate);
    expect(framesAtAnswer).toBeGreaterThanOrEqual(1024);
    expect(storage.database.pendingFrames()).toBe(0);
  });

  it('keep the log small under writes that never pause', async () => {
    await using storage = await openTestStorage();
    let largest = 0;
    const writer = async (name: string): Promise<void> => {
      for (let i = 0; i < 30; i++) {
        await storage.work.keep(name, (tx) => keepRow(tx, `${name} ${String(i)}`, 'x'.repeat(200_000)));
        largest = Math.max(largest, storage.database.pendingFrames());
      }
    };
    await Promise.all(['a', 'b', 'c', 'd'].map(writer));
    expect(largest).toBeLessThan(2048);
  });

  it('copy back what is left when there is nothing else to do', async () => {
    await using storage = await openTestStorage();
    await write(storage, 1);
    expect(storage.database.pendingFrames()).toBeGreaterThan(0);
    storage.work.checkpointWhenIdle();
    expect(storage.database.pendingFrames()).toBe(0);
  });

  it('never wait for a reader: emptying the log is refused at once and works later', async () => {
    await using storage = await openTestStorage();
    await write(storage, 1);
    const reader = Database.openReader(storage.path);
    reader.exec('BEGIN');
    reader.native.prepare('SELECT count(*) FROM tenants').get();
    await write(storage, 1);
    expect(storage.work.emptyLog()).toBe(false);
    reader.exec('COMMIT');
    reader.close();
    expect(storage.work.emptyLog()).toBe(true);
    expect(statSync(`${storage.path}-wal`).size).toBe(0);
  });

  it('leave no log behind when the work has stopped', async () => {
    await using storage = await openTestStorage();
    await write(storage, 1);
    await storage.work.stop();
    storage.database.close();
    expect(existsSync(`${storage.path}-wal`)).toBe(false);
  });

  it('that find the disk full make the storage read-only, without harm', async () => {
    const { storage, faults } = await openFaulty();
    await using _ = storage;
    await write(storage, 1);
    faults.failNext(/wal_checkpoint\(PASSIVE\)/, 'SQLITE_FULL');
    storage.work.checkpointWhenIdle();
    expect(storage.work.diskFull).toBe(true);
    expect(storage.fatal).toEqual([]);
    storage.clock.advance(1000);
    storage.work.probeDisk();
    expect(storage.work.diskFull).toBe(false);
  });

  it('that fail otherwise end the process', async () => {
    const { storage, faults } = await openFaulty();
    await write(storage, 1);
    faults.failNext(/wal_checkpoint\(PASSIVE\)/, 'SQLITE_IOERR_FSYNC');
    storage.work.checkpointWhenIdle();
    expect(storage.fatal).toMatchObject([{ code: 'SQLITE_IOERR_FSYNC' }]);
    await storage[Symbol.asyncDispose]();
  });

  it('belong to the probe: a full disk has room again when log and file both take pages', async () => {
    const { storage, faults } = await openFaulty();
    await using _ = storage;
    faults.failNext(/^COMMIT$/, 'SQLITE_FULL');
    await settled([storage.work.keep('a', (tx) => keepRow(tx, 'a'))]);
    storage.clock.advance(1000);
    faults.failNext(/wal_checkpoint\(PASSIVE\)/, 'SQLITE_FULL');
    storage.work.probeDisk();
    expect(storage.work.diskFull).toBe(true);
  });
});
