import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, cpSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Database } from '../../src/storage/database.ts';
import { openDataDirectory } from '../../src/storage/data-directory.ts';
import { dataPaths } from '../../src/storage/data-paths.ts';
import type { Migrations } from '../../src/storage/migrate.ts';
import { auditDatabase } from '../campaigns/audit-database.ts';
import { FAILING, LATER } from '../storage/later-migrations.ts';
import { type InitialisedAppliance, initAppliance, serveAppliance } from '../support/appliance-process.ts';
import { temporaryDirectory } from '../support/daemon.ts';
import { stockUp } from '../support/stock.ts';

const LICENSES = 5;
const REAL = { dev: false };

const directory = temporaryDirectory();
let made: InitialisedAppliance;
let ids: string[];
/** A copy of the appliance's data for each test, as this version left it. */
let root: string;
let tests = 0;

beforeAll(async () => {
  made = await initAppliance(directory.path);
  const daemon = await serveAppliance(made);
  const stock = await stockUp({ url: daemon.url, key: made.secretKey }, 'upgrade');
  const licenses = await Promise.all(Array.from({ length: LICENSES }, () => stock.license()));
  ids = licenses.map(({ id }) => id).sort();
  expect(await daemon.stop()).toBe(0);
});
afterAll(() => {
  directory[Symbol.dispose]();
});
beforeEach(() => {
  root = join(directory.path, `data-${String(++tests)}`);
  mkdirSync(root, { mode: 0o700 });
  cpSync(made.data, root, { recursive: true });
  chmodSync(root, 0o700);
});

/** Every licence with its note, in a file that is no appliance by itself; null: there are no notes. */
function licensesIn(path: string): { readonly id: string; readonly note: string | null }[] {
  const reader = Database.openReader(path);
  try {
    const known = reader.native
      .prepare("SELECT 1 FROM pragma_table_info('licenses') WHERE name = 'note'")
      .get();
    const note = known === undefined ? 'NULL' : 'note';
    return reader.native.prepare(`SELECT id, ${note} AS note FROM licenses ORDER BY id`).all() as {
      id: string;
      note: string | null;
    }[]; // the two columns that were asked for
  } finally {
    reader.close();
  }
}

const old = (): unknown => ids.map((id) => ({ id, note: null }));
const upgraded = (): unknown => ids.map((id) => ({ id, note: `of ${id}` }));
const copy = (): string => dataPaths(root).before('0001-foundation');
const database = (): string => dataPaths(root).database;

async function openWith(migrations?: Migrations): Promise<void> {
  const opened = await openDataDirectory(root, REAL, migrations);
  opened.close();
}

async function isServed(): Promise<void> {
  const daemon = await serveAppliance({ data: root, credential: made.credential });
  const answer = await fetch(`${daemon.url}/api/v1/licenses`, {
    headers: { authorization: `Bearer ${made.secretKey}` },
  });
  const { data } = (await answer.json()) as { data: { id: string }[] }; // a list of the API
  expect(data.map(({ id }) => id).sort()).toEqual(ids);
  expect(await daemon.stop()).toBe(0);
  expect(auditDatabase(database()).problems).toEqual([]);
}

describe('an upgrade', () => {
  it('keeps every row, and a copy of the database as it was, which the old version serves', async () => {
    await openWith(LATER);
    expect(licensesIn(database())).toEqual(upgraded());
    expect(auditDatabase(database()).problems).toEqual([]);
    expect(statSync(copy()).mode & 0o777).toBe(0o600);
    expect(licensesIn(copy())).toEqual(old());
    copyFileSync(copy(), database());
    await isServed();
  });

  it('is made once: no copy is made of a database that is up to date', async () => {
    await openWith();
    expect(existsSync(copy())).toBe(false);
    await openWith(LATER);
    const { mtimeMs } = statSync(copy());
    await openWith(LATER);
    expect(statSync(copy()).mtimeMs).toBe(mtimeMs);
  });

  it('that fails changes nothing: the old version serves on, and a later attempt succeeds', async () => {
    const refused = { code: 'DATA_DIRECTORY_INVALID', message: /could not be migrated; nothing was changed/ };
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(openWith(FAILING)).rejects.toMatchObject({
        code: refused.code,
        message: expect.stringMatching(refused.message) as unknown,
      });
      expect(licensesIn(database())).toEqual(old());
      expect(licensesIn(copy())).toEqual(old());
    }
    await isServed();
    await openWith(LATER);
    expect(licensesIn(database())).toEqual(upgraded());
  });

  it('that is killed half way changes nothing, and is made at the next start', async () => {
    const script = join(import.meta.dirname, '..', 'storage', 'migrate-until-killed.ts');
    const child = spawn(process.execPath, [script, root], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    expect(licensesIn(copy())).toEqual(old());
    await isServed();
    expect(licensesIn(database())).toEqual(old());
    await openWith(LATER);
    expect(licensesIn(database())).toEqual(upgraded());
  });

  it('is not hindered by a copy that a kill left unfinished, nor by that of an earlier attempt', async () => {
    writeFileSync(`${copy()}.new`, 'half of a copy');
    writeFileSync(copy(), 'of another day');
    await openWith(LATER);
    expect(licensesIn(copy())).toEqual(old());
    expect(existsSync(`${copy()}.new`)).toBe(false);
  });

  it('has no way back but the copy: the old version refuses the new database, and touches nothing', async () => {
    await openWith(LATER);
    await expect(openWith()).rejects.toMatchObject({
      code: 'DATABASE_TOO_NEW',
      message: expect.stringContaining('0002-later') as unknown,
    });
    expect(licensesIn(database())).toEqual(upgraded());
    const serving = serveAppliance({ data: root, credential: made.credential });
    await expect(serving).rejects.toThrow(/DATABASE_TOO_NEW/);
  });
});
