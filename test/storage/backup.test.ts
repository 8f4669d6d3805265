import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemRandom } from '../../src/lib/random.ts';
import { Secret } from '../../src/lib/secret.ts';
import { type BackupContents, openBackup, packBackup } from '../../src/storage/backup-container.ts';
import { copyDatabase } from '../../src/storage/backup.ts';
import { assertInvariants } from '../support/invariants.ts';
import { openTestStorage } from '../support/storage.ts';
import { entry, keepRow, kept } from './batch-fixtures.ts';

const KEY = new Secret(Buffer.alloc(32, 7));
const HEADER = Buffer.from('header');
const SEALING = { key: KEY, header: HEADER };

let base = '';

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'mintmark-backup-'));
});

afterEach(() => {
  rmSync(base, { recursive: true });
});

function contents(): BackupContents {
  mkdirSync(join(base, 'data', 'keys'), { recursive: true });
  writeFileSync(join(base, 'data', 'mintmark.db'), Buffer.alloc(3_000_000, 'ab'));
  writeFileSync(join(base, 'data', 'keys', 'one.key'), 'sealed key');
  writeFileSync(join(base, 'data', 'empty'), '');
  const files = ['mintmark.db', 'keys/one.key', 'empty'].map((name) => ({
    name,
    path: join(base, 'data', name),
  }));
  return { files, about: { createdAt: 1, branch: 'b' } };
}

async function pack(): Promise<string> {
  const target = join(base, 'all.backup');
  await packBackup(contents(), SEALING, { target, random: systemRandom });
  return target;
}

describe('a backup file', () => {
  it('gives back every file, for its owner alone, and what it says of itself', async () => {
    const target = await pack();
    expect(statSync(target).mode & 0o777).toBe(0o600);
    expect(existsSync(`${target}.part`)).toBe(false);
    const backup = await openBackup(target);
    expect(backup.header).toEqual(HEADER);
    const into = join(base, 'restored');
    mkdirSync(into);
    const manifest = await backup.unpack(KEY, into);
    expect(manifest.about).toEqual({ createdAt: 1, branch: 'b' });
    for (const { name, size } of manifest.files) {
      const [was, is] = [readFileSync(join(base, 'data', name)), readFileSync(join(into, name))];
      expect(is.equals(was), name).toBe(true);
      expect(is.length).toBe(size);
      expect(statSync(join(into, name)).mode & 0o777).toBe(0o600);
    }
    expect(readdirSync(into).sort()).toEqual(['empty', 'keys', 'mintmark.db']);
  });

  it('is verified without writing anything', async () => {
    const target = await pack();
    const before = readdirSync(base).sort();
    const manifest = await (await openBackup(target)).unpack(KEY, null);
    expect(manifest.files.map(({ name }) => name)).toEqual(['mintmark.db', 'keys/one.key', 'empty']);
    expect(readdirSync(base).sort()).toEqual(before);
  });

  it('never overwrites what is there', async () => {
    const target = await pack();
    const into = join(base, 'restored');
    mkdirSync(into);
    writeFileSync(join(into, 'mintmark.db'), 'precious');
    await expect((await openBackup(target)).unpack(KEY, into)).rejects.toMatchObject({ code: 'EEXIST' });
    expect(readFileSync(join(into, 'mintmark.db'), 'utf8')).toBe('precious');
  });

  it('is refused when it is something else, damaged, or opened with another key', async () => {
    const target = await pack();
    const bytes = readFileSync(target);
    bytes[bytes.length - 100] = (bytes[bytes.length - 100] ?? 0) ^ 1;
    writeFileSync(join(base, 'damaged'), bytes);
    writeFileSync(join(base, 'other'), 'a letter, not a backup at all');
    const invalid = { code: 'BACKUP_INVALID' };
    await expect((await openBackup(join(base, 'damaged'))).unpack(KEY, null)).rejects.toMatchObject(invalid);
    await expect(openBackup(join(base, 'other'))).rejects.toMatchObject(invalid);
    const other = new Secret(Buffer.alloc(32, 8));
    await expect((await openBackup(target)).unpack(other, null)).rejects.toMatchObject(invalid);
  });

  it.each(['../escape', '/etc/passwd', 'a/../../b', '.', '..', 'a//b', 'a/', 'a\\b', 'a b', ''])(
    'takes no file by the name of "%s"',
    async (name) => {
      const path = join(base, 'file');
      writeFileSync(path, 'x');
      const packing = packBackup({ files: [{ name, path }], about: {} }, SEALING, {
        target: join(base, 'bad.backup'),
        random: systemRandom,
      });
      await expect(packing).rejects.toThrow('relative and plain');
      expect(readdirSync(base)).toEqual(['file']);
    },
  );
});

describe('a copy of the database', () => {
  it('is one moment of it, sound, while units go on being committed', async () => {
    await using storage = await openTestStorage();
    let stop = false;
    let written = 0;
    const writer = async (name: string): Promise<void> => {
      for (let i = 0; !stop; i++) {
        await storage.work.run(storage.authority(null), (tx) => {
          tx.record(entry(`${name} ${String(i)}`));
          keepRow(tx, `${name} ${String(i)}`, 'x'.repeat(2000));
        });
        written += 1;
      }
    };
    const writers = Promise.all(['a', 'b', 'c', 'd'].map(writer));
    while (written < 500) await new Promise(setImmediate);
    const before = written;
    const directory = join(base, 'copy');
    mkdirSync(directory);
    await copyDatabase(storage.path, join(directory, 'mintmark.db'));
    stop = true;
    await writers;
    expect(statSync(join(directory, 'mintmark.db')).mode & 0o777).toBe(0o600);
    await using copy = await openTestStorage({ directory });
    assertInvariants(copy.database);
    const rows = kept(copy).length;
    expect(rows).toBeGreaterThanOrEqual(before);
    expect(rows).toBeLessThanOrEqual(written);
    // Entries and rows are of the same moment.
    expect(copy.database.native.prepare('SELECT count(*) FROM ledger_entries').pluck().get()).toBe(rows + 2);
  });

  it('is not made over something', async () => {
    await using storage = await openTestStorage();
    writeFileSync(join(base, 'there'), 'x');
    await expect(copyDatabase(storage.path, join(base, 'there'))).rejects.toMatchObject({ code: 'EEXIST' });
    expect(readFileSync(join(base, 'there'), 'utf8')).toBe('x');
  });

  it('of a damaged database is refused and removed', async () => {
    const storage = await openTestStorage();
    storage.database.native.pragma('foreign_keys = OFF');
    storage.database.native.exec("INSERT INTO license_seats (realm_id, license_id) VALUES (77, 'lic_none')");
    await expect(copyDatabase(storage.path, join(base, 'copy.db'))).rejects.toMatchObject({
      code: 'BACKUP_INVALID',
    });
    expect(existsSync(join(base, 'copy.db'))).toBe(false);
    await storage[Symbol.asyncDispose]();
  });
});
