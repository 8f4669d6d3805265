import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listRealms } from '../../src/storage/realms.ts';
import { assertInvariants } from '../support/invariants.ts';
import { openTestStorage, type TestStorage } from '../support/storage.ts';
import { entry, keepRow, kept, settled } from './batch-fixtures.ts';

const PAGE = 4096;
/** Pages of log that the first block of shared memory can index; one more and the file must grow. */
const FIRST_BLOCK_PAGES = 4062;

const mayMount = process.geteuid?.() === 0 && canMount();

function canMount(): boolean {
  const directory = mkdtempSync(join(tmpdir(), 'mintmark-mount-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory]).status === 0;
  if (mounted) spawnSync('umount', [directory]);
  rmSync(directory, { recursive: true });
  return mounted;
}

/** A small disk of its own, gone at the end. */
function smallDisk(size: string): { readonly directory: string } & Disposable {
  const directory = mkdtempSync(join(tmpdir(), 'mintmark-full-'));
  spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=700`, 'tmpfs', directory]);
  const remove = (): void => {
    spawnSync('umount', [directory]);
    rmSync(directory, { recursive: true });
  };
  return { directory, [Symbol.dispose]: remove };
}

function write(storage: TestStorage, name: string): Promise<void> {
  return storage.work.run(storage.authority(null), (tx) => {
    tx.record(entry(name));
    keepRow(tx, name, 'x'.repeat(20_000));
  });
}

/** Fills the disk but for some pages. */
function fillBut(directory: string, pages: number): () => void {
  const { bavail, bsize } = statfsSync(directory);
  const filler = join(directory, 'filler');
  writeFileSync(filler, Buffer.alloc(bavail * bsize - pages * PAGE));
  return () => {
    rmSync(filler);
  };
}

/** Writes until the disk is full; returns the names that were acknowledged. */
async function writeUntilFull(storage: TestStorage, prefix: string): Promise<string[]> {
  const acknowledged: string[] = [];
  for (let i = 0; ; i++) {
    const name = `${prefix} ${String(i).padStart(6, '0')}`;
    const [outcome] = await settled([write(storage, name)]);
    if (outcome !== 'ok') {
      expect(outcome).toBe('DISK_FULL');
      return acknowledged;
    }
    acknowledged.push(name);
  }
}

/** Repeats until it fails, and says how. */
function codeOfFailure(run: () => unknown): string {
  try {
    for (let i = 0; i < 100; i++) run();
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
  return 'never failed';
}

async function recovers(storage: TestStorage, free: () => void): Promise<void> {
  expect(await settled([write(storage, 'refused')])).toEqual(['DISK_FULL']);
  expect(listRealms(storage.work.read)).toHaveLength(4);
  free();
  storage.clock.advance(1000);
  expect(await settled([write(storage, 'z after')])).toEqual(['ok']);
  expect(storage.work.diskFull).toBe(false);
  expect(storage.fatal).toEqual([]);
}

describe.skipIf(!mayMount)('a full disk (a small tmpfs; needs root)', () => {
  it('refuses writes, keeps what was acknowledged, goes on reading, and recovers by itself', async () => {
    using disk = smallDisk('8m');
    await using storage = await openTestStorage({ directory: disk.directory });
    const free = fillBut(disk.directory, 600);
    const acknowledged = await writeUntilFull(storage, 'a');
    expect(acknowledged.length).toBeGreaterThan(10);
    await recovers(storage, free);
    expect(kept(storage)).toEqual([...acknowledged, 'z after']);
    assertInvariants(storage.database);
  });

  it('is recognised too when it is the shared memory of the log that cannot grow', async () => {
    using disk = smallDisk('64m');
    await using storage = await openTestStorage({ directory: disk.directory });
    // Nothing is copied back meanwhile, so that the log outgrows its first block of shared memory.
    const { native } = storage.database;
    native.pragma('wal_checkpoint(TRUNCATE)');
    native.exec('CREATE TABLE bulk (x)');
    const bulk = native.prepare('INSERT INTO bulk VALUES (zeroblob(3000))');
    while (storage.database.pendingFrames() < FIRST_BLOCK_PAGES - 12) bulk.run();
    const free = fillBut(disk.directory, 16);
    expect(codeOfFailure(() => bulk.run())).toBe('SQLITE_IOERR_SHMSIZE');
    expect(await settled([storage.work.keep('small', (tx) => keepRow(tx, 'small'))])).toEqual(['DISK_FULL']);
    expect(storage.fatal).toEqual([]);
    storage.clock.advance(1000);
    free();
    expect(await settled([write(storage, 'after')])).toEqual(['ok']);
    expect(storage.fatal).toEqual([]);
    native.exec('DROP TABLE bulk');
    assertInvariants(storage.database);
  });
});
