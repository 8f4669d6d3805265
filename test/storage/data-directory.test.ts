import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDataDirectory, openDataDirectory } from '../../src/storage/data-directory.ts';
import { dataPaths } from '../../src/storage/data-paths.ts';
import { checkIntegrity } from '../../src/storage/integrity.ts';
import { writeSetting } from '../../src/storage/settings-store.ts';
import { HeldClock } from '../support/held-clock.ts';
import { PlainJournal } from '../support/plain-journal.ts';
import { testAuthority, testWork } from '../support/storage.ts';

const REAL = { dev: false };
const MODE = 0o777;

let base = '';
let root = '';

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'mintmark-directory-'));
  root = join(base, 'data');
});

afterEach(() => {
  rmSync(base, { recursive: true });
});

/** As init leaves it. */
async function initialise(settings: { readonly dev: boolean } = REAL): Promise<void> {
  const directory = await createDataDirectory(root);
  const work = testWork(directory.database, {
    journal: new PlainJournal(),
    clock: new HeldClock(),
    fatal: [],
  });
  await work.run(testAuthority(null), (tx) => {
    tx.record({
      realm: null,
      action: 'appliance.initialised',
      target: { kind: 'appliance', id: 'a' },
      outcome: 'done',
    });
    writeSetting(tx, 'applianceId', 'app_1');
    if (settings.dev) writeSetting(tx, 'dev', 'true');
  });
  await work.stop();
  directory.close();
}

function fault(code: string, message: RegExp): unknown {
  return expect.objectContaining({ code, message: expect.stringMatching(message) as unknown });
}

describe('a new data directory', () => {
  it('belongs to its user alone, with everything in it', async () => {
    await initialise();
    const paths = dataPaths(root);
    const modes = [paths.root, paths.keys, paths.slots, paths.run].map((path) => statSync(path).mode & MODE);
    expect(modes).toEqual([0o700, 0o700, 0o700, 0o700]);
    expect([paths.database, paths.lock].map((path) => statSync(path).mode & MODE)).toEqual([0o600, 0o600]);
  });

  it('is not made where there is something already', async () => {
    mkdirSync(root, { mode: 0o700 });
    writeFileSync(join(root, 'letter.txt'), 'dear Sir');
    await expect(createDataDirectory(root)).rejects.toEqual(
      fault('DATA_DIRECTORY_INVALID', /not empty.*letter\.txt/),
    );
    expect(readFileSync(join(root, 'letter.txt'), 'utf8')).toBe('dear Sir');
  });

  it('is not made over an appliance', async () => {
    await initialise();
    await expect(createDataDirectory(root)).rejects.toEqual(fault('DATA_DIRECTORY_INVALID', /not empty/));
  });
});

describe('opening a data directory', () => {
  it('opens what init made, and closes it so that it can be opened again', async () => {
    await initialise();
    for (let i = 0; i < 2; i++) {
      const directory = await openDataDirectory(root, REAL);
      expect(directory.uncleanStop).toBe(false);
      expect(existsSync(directory.paths.lockOwner)).toBe(true);
      directory.close();
      expect(existsSync(directory.paths.lockOwner)).toBe(false);
    }
  });

  const refusals: readonly (readonly [string, () => void | Promise<void>, string, RegExp])[] = [
    ['one that is not there', () => undefined, 'DATA_DIRECTORY_INVALID', /does not exist.*mintmark init/],
    ['a file', () => writeFileSync(root, ''), 'DATA_DIRECTORY_INVALID', /not a directory/],
    [
      'an empty one',
      () => {
        mkdirSync(root, { mode: 0o700 });
      },
      'DATA_DIRECTORY_INVALID',
      /holds no appliance/,
    ],
    [
      'one open to the group',
      async () => {
        await initialise();
        chmodSync(root, 0o750);
      },
      'DATA_DIRECTORY_INVALID',
      /open to others \(mode 750\).*chmod 700/,
    ],
    [
      'one open to the world',
      async () => {
        await initialise();
        chmodSync(root, 0o701);
      },
      'DATA_DIRECTORY_INVALID',
      /mode 701/,
    ],
    [
      'one whose database is a link',
      async () => {
        await initialise();
        const { database } = dataPaths(root);
        rmSync(database);
        symlinkSync('/dev/null', database);
      },
      'DATA_DIRECTORY_INVALID',
      /not a regular file/,
    ],
    [
      'one whose database is something else',
      () => {
        mkdirSync(root, { mode: 0o700 });
        writeFileSync(dataPaths(root).database, 'x'.repeat(8192));
      },
      'DATA_DIRECTORY_INVALID',
      /cannot be opened as a database/,
    ],
    [
      'one whose database is empty',
      () => {
        mkdirSync(root, { mode: 0o700 });
        writeFileSync(dataPaths(root).database, '');
      },
      'DATA_DIRECTORY_INVALID',
      /not the database of an appliance/,
    ],
    [
      'one that init did not finish',
      async () => (await createDataDirectory(root)).close(),
      'DATA_DIRECTORY_INVALID',
      /init did not finish/,
    ],
    [
      'one in which a restore did not finish',
      async () => {
        await initialise();
        writeFileSync(dataPaths(root).restoring, '');
      },
      'DATA_DIRECTORY_INVALID',
      /a restore did not finish/,
    ],
    [
      'one written by a later version',
      async () => {
        await initialise();
        const directory = await openDataDirectory(root, REAL);
        directory.database.native.exec("INSERT INTO kysely_migration VALUES ('9999-later', '2030')");
        directory.close();
      },
      'DATABASE_TOO_NEW',
      /9999-later/,
    ],
    ['a throw-away one', () => initialise({ dev: true }), 'DEV_APPLIANCE', /development appliance/],
  ];

  it.each(refusals)('refuses %s', async (_, make, ...[code, message]) => {
    await make();
    await expect(openDataDirectory(root, REAL)).rejects.toEqual(fault(code, message));
    // What was refused is not kept locked.
    await expect(openDataDirectory(root, REAL)).rejects.toEqual(fault(code, message));
  });

  it('refuses to serve a real appliance as a throw-away one', async () => {
    await initialise();
    await expect(openDataDirectory(root, { dev: true })).rejects.toEqual(
      fault('DATA_DIRECTORY_INVALID', /real appliance/),
    );
  });

  it.skipIf(process.geteuid?.() !== 0)("refuses another user's directory (needs root)", async () => {
    await initialise();
    chownSync(root, 12345, 12345);
    await expect(openDataDirectory(root, REAL)).rejects.toEqual(
      fault('DATA_DIRECTORY_INVALID', /belongs to user 12345/),
    );
  });
});

const HOLDER = `
import { openDataDirectory } from '${join(import.meta.dirname, '../../src/storage/data-directory.ts')}';
const directory = await openDataDirectory(process.argv[1], { dev: false });
directory.database.native.exec("INSERT INTO job_state VALUES ('held', 'x', 0)");
process.stdout.write('held');
setTimeout(() => undefined, 2 ** 30);
`;

describe('two processes', () => {
  it('cannot share a data directory: the second is told whose it is, kill -9 frees it', async () => {
    await initialise();
    const holder = spawn(process.execPath, ['--input-type=module', '-e', HOLDER, root], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(holder.stdout, 'data');
    const refused = openDataDirectory(root, REAL);
    await expect(refused).rejects.toEqual(
      fault('DATA_DIRECTORY_IN_USE', new RegExp(`locked by process ${String(holder.pid)}$`)),
    );
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    const directory = await openDataDirectory(root, REAL);
    expect(directory.uncleanStop).toBe(true);
    expect(directory.database.native.prepare('SELECT count(*) FROM job_state').pluck().get()).toBe(1);
    directory.close();
  });

  it('are kept apart inside one process too', async () => {
    await initialise();
    const first = await openDataDirectory(root, REAL);
    await expect(openDataDirectory(root, REAL)).rejects.toEqual(
      fault('DATA_DIRECTORY_IN_USE', /locked by process/),
    );
    first.close();
  });
});

describe('the integrity check', () => {
  it('finds nothing in a sound database, while it is being written', async () => {
    await initialise();
    const directory = await openDataDirectory(root, REAL);
    const report = checkIntegrity(directory.paths.database);
    directory.database.native.exec("INSERT INTO job_state VALUES ('x', 'y', 0)");
    expect(await report).toEqual({ ok: true, problems: [] });
    directory.close();
  });

  it('finds a reference to nothing and a damaged page', async () => {
    await initialise();
    const directory = await openDataDirectory(root, REAL);
    const { database, paths } = directory;
    database.native.pragma('foreign_keys = OFF');
    database.native.exec("INSERT INTO license_seats (realm_id, license_id) VALUES (77, 'lic_none')");
    expect((await checkIntegrity(paths.database)).problems).toContain(
      'a row of license_seats refers to no row of licenses',
    );
    directory.close();
    const bytes = readFileSync(paths.database);
    bytes.fill(0xff, 3 * 4096, 4 * 4096);
    writeFileSync(paths.database, bytes);
    const damaged = await checkIntegrity(paths.database);
    expect(damaged.ok).toBe(false);
    expect(damaged.problems.length).toBeGreaterThan(0);
  });
});
