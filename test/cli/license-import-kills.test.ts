import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { cleanEnvironment } from '../support/daemon.ts';
import { type BulkDesk, openBulkDesk, strongKey } from './bulk-desk.ts';
import { PROGRAM } from './run-cli.ts';

/** When each process is killed: so many writes of the state after its start, and so many milliseconds more. */
const KILLS = [
  { writes: 0, ms: 350 },
  { writes: 1, ms: 0 },
  { writes: 2, ms: 30 },
  { writes: 1, ms: 90 },
  { writes: 3, ms: 7 },
  { writes: 2, ms: 160 },
  { writes: 4, ms: 60 },
];

/** What is imported, and to where. */
interface Load {
  readonly name: string;
  readonly environment: string;
  readonly rows: number;
  /** Keys of different imports are different ones. */
  readonly firstKey: number;
}

/** Every second row brings a key, the others are given one. */
function csvOf({ name, rows: count, firstKey: first }: Load): string {
  const rows = Array.from(
    { length: count },
    (_, i) => `${i % 2 === 0 ? strongKey(first + i) : ''},${name}${String(i)}`,
  );
  return ['key,name', ...rows, ''].join('\n');
}

let desk: BulkDesk;

beforeAll(async () => {
  desk = await openBulkDesk();
});

afterAll(async () => {
  await desk.close();
});

/** An import that runs in a process of its own. */
interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  readonly stderr: () => string;
}

function importing({ name, environment }: Load, ...more: string[]): string[] {
  const to = ['--environment', environment, '--policy', 'desktop', '--keys-out', desk.at(`${name}-keys.csv`)];
  return ['license', 'import', desk.at(`${name}.csv`), ...to, ...more];
}

function start(load: Load): Running {
  const resume = existsSync(desk.at(`${load.name}.csv.import-state`)) ? ['--resume'] : [];
  const command = ['--data-dir', desk.made.data, ...importing(load, ...resume)];
  const child = spawn(PROGRAM, command, { env: cleanEnvironment(), stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => (text += part));
  return { child, ended: new Promise((resolve) => child.once('exit', resolve)), stderr: () => text };
}

/** Waits until the state was written so often, or the process has ended. */
async function written({ name }: Load, running: Running, times: number): Promise<void> {
  const state = desk.at(`${name}.csv.import-state`);
  const inode = (): number => (existsSync(state) ? statSync(state).ino : 0);
  let last = inode();
  for (let left = times; left > 0 && running.child.exitCode === null;) {
    await pause(2);
    const now = inode();
    if (now !== last) left -= 1;
    last = now;
  }
}

describe('an import that is killed again and again', () => {
  it('creates each row once, and says each new key once', async () => {
    const load = prepared({ name: 'kill', environment: 'live', rows: 4000, firstKey: 100_000 });
    for (const { writes, ms } of KILLS) {
      const running = start(load);
      await written(load, running, writes);
      await pause(ms);
      running.child.kill('SIGKILL');
      await running.ended;
    }
    await expectEachOnce(load, await finish(load));
  });

  it('goes on by itself when the daemon is killed under it and comes back', async () => {
    const load = prepared({ name: 'fall', environment: 'test', rows: 3000, firstKey: 300_000 });
    const running = start(load);
    for (const writes of [2, 3]) {
      await written(load, running, writes);
      desk.kill();
      await pause(200);
      await desk.revive();
    }
    await expectEachOnce(load, await running.ended);
    expect(running.stderr()).toBe('');
  });

  it('is alone with its state: a second one is refused, and the first goes on', async () => {
    const load = prepared({ name: 'two', environment: 'test', rows: 3000, firstKey: 700_000 });
    const first = start(load);
    await written(load, first, 2);
    first.child.kill('SIGSTOP');
    try {
      const [second, anew] = [start(load), await desk.run(importing(load))];
      expect([await second.ended, anew.code, anew.stdout]).toEqual([EXIT.refused, EXIT.refused, '']);
      for (const said of [second.stderr(), anew.stderr]) {
        expect(said).toContain(
          `another import is going on from ${desk.at('two.csv.import-state')} right now`,
        );
        expect(said).toMatch(/Wait until it has ended \(fuser \S+\.lock names its process\); then resume\./);
      }
    } finally {
      first.child.kill('SIGCONT');
    }
    await expectEachOnce(load, await first.ended);
  });

  it('that was killed keeps nobody out', async () => {
    const load = prepared({ name: 'dead', environment: 'test', rows: 3000, firstKey: 900_000 });
    const first = start(load);
    await written(load, first, 2);
    first.child.kill('SIGKILL');
    await first.ended;
    expect(existsSync(desk.at('dead.csv.import-state.lock'))).toBe(true);
    await expectEachOnce(load, await finish(load));
  });

  it('stops behind its batch when it is asked to, and goes on', async () => {
    const load = prepared({ name: 'stop', environment: 'live', rows: 3000, firstKey: 500_000 });
    const running = start(load);
    await written(load, running, 2);
    running.child.kill('SIGINT');
    expect(await running.ended).toBe(EXIT.refused);
    expect(running.stderr()).toMatch(/stopped behind row [12]000: /);
    expect(running.stderr()).toContain('Go on with --resume.');
    await expectEachOnce(load, await finish(load));
  });
});

function prepared(load: Load): Load {
  writeFileSync(desk.at(`${load.name}.csv`), csvOf(load));
  return load;
}

async function finish(load: Load): Promise<number | null> {
  const running = start(load);
  const code = await running.ended;
  // The last kill may have come after the last row.
  expect(running.stderr().trim()).toMatch(/^(?:this import was finished before; what it did then:)?$/);
  return code;
}

async function expectEachOnce({ name, environment, rows }: Load, code: number | null): Promise<void> {
  expect(code).toBe(EXIT.ok);
  const own = new RegExp(`^${name}\\d+$`);
  const all = await desk.exported(environment);
  const licenses = all.filter((license) => own.test(String(license['name'])));
  expect(licenses).toHaveLength(rows);
  const names = new Map(licenses.map((license) => [license['id'], license['name']]));
  expect(new Set(names.values()).size).toBe(rows);
  const [, ...keys] = desk.lines(`${name}-keys.csv`).map((line) => line.split(','));
  expect(keys.map(([row]) => Number(row))).toEqual(Array.from({ length: rows / 2 }, (_, i) => 2 * i + 2));
  expect(keys.filter(([row, id]) => names.get(id) !== `${name}${String(Number(row) - 1)}`)).toEqual([]);
  const text = readFileSync(desk.at(`${name}.csv.import-state`), 'utf8');
  const state = JSON.parse(text) as Record<string, number>; // what the import keeps of itself
  expect(state).toMatchObject({ finished: true, rows, refused: 0 });
  expect((state['created'] ?? 0) + (state['repeated'] ?? 0)).toBe(rows);
}
