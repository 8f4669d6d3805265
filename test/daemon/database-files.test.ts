import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { noStrace, recorded } from '../campaigns/power-cut/strace.ts';
import { mintmark } from '../cli/run-cli.ts';
import {
  type InitialisedAppliance,
  initAppliance,
  type ServedAppliance,
  serveAppliance,
} from '../support/appliance-process.ts';
import { dataOf, temporaryDirectory } from '../support/daemon.ts';
import { locksOn } from '../support/posix-locks.ts';
import { type Stock, stockUp } from '../support/stock.ts';

const missing = noStrace() ?? (existsSync('/proc/locks') ? undefined : 'needs /proc/locks');
if (missing !== undefined) console.warn(`who opens the database is not tested here: ${missing}`);

const directory = temporaryDirectory();
let appliance: InitialisedAppliance;
let trace: string;
let lives = 0;

beforeAll(async () => {
  if (missing === undefined) appliance = await initAppliance(directory.path);
});
afterAll(() => {
  directory[Symbol.dispose]();
});
beforeEach(() => {
  trace = join(directory.path, `opens-${String(++lives)}`);
});

/** Every file of the daemon that SQLite holds locks on. */
const LOCKED = ['lock.db', 'mintmark.db', 'mintmark.db-shm'] as const;

function serveTraced(env: Readonly<Record<string, string>> = {}): Promise<ServedAppliance> {
  const calls = 'trace=?open,?openat,?openat2,?creat';
  const program = ['strace', '-D', '-f', '--seccomp-bpf', '-y', '-o', trace, '-e', calls, '--'];
  return serveAppliance(appliance, ['ledger.checkpointSeconds=1'], { program, env });
}

/** Every opening of a database file that succeeded, and how. */
function openings(): { readonly name: string; readonly flags: string }[] {
  const opened = /"[^"]*\/((?:mintmark|lock)\.db(?:-wal|-shm|-journal)?)", ([A-Z_|]+)(?:, \d+)?\) = \d/g;
  return [...readFileSync(trace, 'utf8').matchAll(opened)].map(([, name = '', flags = '']) => ({
    name,
    flags,
  }));
}

/** SQLite never follows a link at the end of a path (os_unix.c, unixOpen); Node never says so. */
const bySqlite = ({ flags }: { readonly flags: string }): boolean => flags.includes('O_NOFOLLOW');

/**
 * Of the bytes that SQLite locks in the shared memory (os_unix.c), 120 to 127 come and go with transactions and
 * checkpoints; 128 is held as long as the database is open.
 */
const comesAndGoes = (lock: string): boolean => / 12[0-7] 12[0-7]$/.test(lock);

/** The locks that have to stand whatever the daemon does. */
function held(daemon: ServedAppliance): Record<string, string[]> {
  const pid = daemon.child.pid ?? 0;
  const standing = (name: string) =>
    locksOn(join(appliance.data, name), pid).filter((lock) => !comesAndGoes(lock));
  return Object.fromEntries(LOCKED.map((name) => [name, standing(name)]));
}

async function finish(daemon: ServedAppliance): Promise<void> {
  expect(await daemon.stop()).toBe(0);
  await recorded(trace, daemon.child.pid ?? 0);
}

describe.skipIf(missing !== undefined)('a daemon under load', () => {
  it('opens its database through SQLite alone, and holds its locks through every command', async () => {
    const daemon = await serveTraced();
    const stock = await stockUp({ url: daemon.url, key: appliance.secretKey }, 'locks');
    const before = held(daemon);
    for (const name of LOCKED) expect(before[name], name).not.toEqual([]);
    const loaded = loadUntil(stock);
    for (const command of commands()) {
      const { code, stderr } = await mintmark([...command, '--data-dir', appliance.data]);
      expect([command, code, stderr]).toEqual([command, 0, '']);
      expect(held(daemon), command.join(' ')).toEqual(before);
    }
    expect(await loaded.stop()).toBeGreaterThan(10);
    expect(held(daemon)).toEqual(before);
    await expect(serveAppliance(appliance)).rejects.toThrow('DATA_DIRECTORY_IN_USE');
    expect(held(daemon)).toEqual(before);
    await finish(daemon);
    const opened = openings();
    expect(opened.filter((each) => !bySqlite(each))).toEqual([]);
    // The lock, the writer, and the reader of the backup; had the recording missed them, it would have missed others.
    const count = (name: string): number => opened.filter((each) => each.name === name).length;
    expect([count('lock.db'), count('mintmark.db')]).toEqual([1, 2]);
  });

  it('opens it through SQLite alone after a kill too, when it checks every page', async () => {
    const first = await serveAppliance(appliance);
    await stockUp({ url: first.url, key: appliance.secretKey }, 'killed');
    first.child.kill('SIGKILL');
    await first.exited;
    const daemon = await serveTraced();
    while (!daemon.stdout().includes('the database is intact'))
      await new Promise((resolve) => setTimeout(resolve, 20));
    for (const name of LOCKED) expect(held(daemon)[name], name).not.toEqual([]);
    await finish(daemon);
    expect(openings().filter((each) => !bySqlite(each))).toEqual([]);
  });

  it('is found out when something of it opens a file of the database', async () => {
    const breach = join(directory.path, 'breach.ts');
    const target = join(appliance.data, 'lock.db');
    const text = `import { readFileSync } from 'node:fs';
      process.on('SIGUSR2', () => readFileSync(${JSON.stringify(target)}));`;
    mkdirSync(directory.path, { recursive: true });
    writeFileSync(breach, text);
    const daemon = await serveTraced({ NODE_OPTIONS: `--import=${breach}` });
    const before = held(daemon);
    daemon.child.kill('SIGUSR2');
    while (openings().every(bySqlite)) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(before['lock.db']).not.toEqual([]);
    expect(held(daemon)['lock.db']).toEqual([]);
    await finish(daemon);
    expect(openings().filter((each) => !bySqlite(each))).toEqual([
      { name: 'lock.db', flags: 'O_RDONLY|O_CLOEXEC' },
    ]);
  });
});

/** What reads the whole database, or a part of it, while the daemon writes. */
function commands(): string[][] {
  return [
    ['status'],
    ['backup', 'create', join(directory.path, 'site.backup')],
    ['audit', 'export', join(directory.path, 'audit')],
    ['keys', 'list'],
    ['status'],
  ];
}

/** Writes until it is told to stop. */
function loadUntil(stock: Stock): { stop(): Promise<number> } {
  let over = false;
  const client = async (): Promise<number> => {
    let done = 0;
    for (; !over; done++) {
      const { id } = await stock.license();
      await dataOf(stock.post(`/licenses/${id}/machines`, { fingerprint: `machine-${id}` }));
    }
    return done;
  };
  const clients = [client(), client(), client()];
  return {
    stop: async () => {
      over = true;
      const counts = await Promise.all(clients);
      return counts.reduce((sum, count) => sum + count, 0);
    },
  };
}
