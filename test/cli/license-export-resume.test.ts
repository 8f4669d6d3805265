import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { cleanEnvironment } from '../support/daemon.ts';
import { type BulkDesk, openBulkDesk, strongKey } from './bulk-desk.ts';
import { PROGRAM } from './run-cli.ts';

const ROWS = 2500;
/** Licences of one person, to be revealed. */
const OWN = 300;

let desk: BulkDesk;

beforeAll(async () => {
  desk = await openBulkDesk();
  const rows = Array.from(
    { length: ROWS },
    (_, i) => `${strongKey(i)},N${String(i)} "ü",${i % 8 === 0 && i / 8 < OWN ? 'ann@x.example' : ''}`,
  ).map((row) => row.replace(/N\d+ "ü"/, (name) => `"${name.replaceAll('"', '""')}"`));
  const csv = ['key,name,userEmail', ...rows, ''].join('\n');
  expect((await desk.imported('all.csv', csv, '--policy', 'site')).code).toBe(EXIT.ok);
});

afterAll(async () => {
  await desk.close();
});

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<number | null>;
  readonly stderr: () => string;
}

const stateOf = (name: string): string => `${desk.at(name)}.export-state`;
const leftOf = (name: string): string[] =>
  readdirSync(desk.at(''))
    .filter((one) => one.startsWith(name))
    .toSorted();

function exporting(name: string, ...options: string[]): string[] {
  const resume = existsSync(stateOf(name)) ? ['--resume'] : [];
  return ['license', 'export', '--output', desk.at(name), ...resume, ...options];
}

function start(name: string, ...options: string[]): Running {
  const command = ['--data-dir', desk.made.data, ...exporting(name, ...options)];
  const child = spawn(PROGRAM, command, { env: cleanEnvironment(), stdio: ['ignore', 'ignore', 'pipe'] });
  let text = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => (text += part));
  return { child, ended: new Promise((resolve) => child.once('exit', resolve)), stderr: () => text };
}

/** Waits until so many pages more are marked, or the process has ended. */
async function marked(name: string, { child }: Running, times: number): Promise<void> {
  const inode = (): number => statSync(stateOf(name), { throwIfNoEntry: false })?.ino ?? 0;
  let last = inode();
  for (let left = times; left > 0 && child.exitCode === null;) {
    await pause(1);
    const now = inode();
    if (now !== last) left -= 1;
    last = now;
  }
}

/** Ends an export as a power cut would, so many pages after its start and some milliseconds more. @returns rows it had */
async function killed(name: string, pages: number, ...options: string[]): Promise<number> {
  const running = start(name, ...options);
  await marked(name, running, pages);
  await pause(pages);
  running.child.kill('SIGKILL');
  await running.ended;
  expect(running.stderr()).toBe('');
  return markOf(name).count;
}

function markOf(name: string): { readonly count: number; readonly bytes: number } {
  if (!existsSync(stateOf(name))) return { count: 0, bytes: 0 };
  return JSON.parse(readFileSync(stateOf(name), 'utf8')) as { count: number; bytes: number }; // what the export keeps of itself
}

/** The same export, never interrupted. */
async function uninterrupted(name: string, ...options: string[]): Promise<Buffer> {
  expect((await desk.run(exporting(name, ...options))).code).toBe(EXIT.ok);
  return readFileSync(desk.at(name));
}

async function expectFinished(name: string, whole: Buffer, ...options: string[]): Promise<void> {
  const { code, stderr } = await desk.run(exporting(name, ...options));
  expect([code, stderr]).toEqual([EXIT.ok, '']);
  expect(readFileSync(desk.at(name)).equals(whole)).toBe(true);
  expect(leftOf(name)).toEqual([name]);
}

describe('an export that was interrupted', () => {
  it('by kills again and again is in the end the one that nobody interrupted', async () => {
    const whole = await uninterrupted('whole.csv');
    expect(whole.toString('utf8').split('\n')).toHaveLength(ROWS + 2);
    const counts: number[] = [];
    for (const pages of [1, 2, 4, 3]) {
      counts.push(await killed('killed.csv', pages));
      const { bytes } = markOf('killed.csv');
      const partial = readFileSync(`${desk.at('killed.csv')}.partial`);
      expect(partial.subarray(0, bytes).equals(whole.subarray(0, bytes))).toBe(true);
      expect(existsSync(desk.at('killed.csv'))).toBe(false);
    }
    expect(counts.every((count, i) => count > (counts[i - 1] ?? 0) && count < ROWS)).toBe(true);
    await expectFinished('killed.csv', whole);
  });

  it('with keys in clear and a filter goes on with both', async () => {
    const options = ['--reveal', '--user-email', 'ann@x.example'];
    const whole = await uninterrupted('whole.jsonl', ...options);
    expect(await killed('clear.jsonl', 1, ...options)).toBeLessThan(OWN);
    expect(statSync(`${desk.at('clear.jsonl')}.partial`).mode & 0o777).toBe(0o600);
    expect(readFileSync(stateOf('clear.jsonl'), 'utf8')).not.toMatch(/ann@|K7Q-/);
    await expectFinished('clear.jsonl', whole, ...options);
    expect(whole.toString('utf8').trimEnd().split('\n')).toHaveLength(OWN);
  });

  it('with its daemon goes on when that one is back', async () => {
    const running = start('daemon.csv');
    await marked('daemon.csv', running, 2);
    desk.kill();
    await pause(100);
    running.child.kill('SIGKILL');
    await running.ended;
    const away = await desk.run(exporting('daemon.csv'));
    expect([away.code, existsSync(stateOf('daemon.csv'))]).toEqual([EXIT.unreachable, true]);
    await desk.revive();
    await expectFinished('daemon.csv', readFileSync(desk.at('whole.csv')));
  });

  it('by Ctrl-C ends behind its page, and says how to go on', async () => {
    const running = start('stop.csv');
    await marked('stop.csv', running, 2);
    running.child.kill('SIGINT');
    expect(await running.ended).toBe(EXIT.refused);
    expect(running.stderr()).toMatch(/stopped behind \d+00 licences/);
    expect(running.stderr()).toContain('go on with --resume');
    expect(leftOf('stop.csv')).toEqual(['stop.csv.export-state', 'stop.csv.partial']);
  });

  it.each([
    ['--format', ['--format', 'jsonl'], 'its format was different (--format)'],
    ['filters', ['--status', 'active'], 'its filters were different'],
    ['--reveal', ['--reveal'], 'keys and persons were shown differently (--reveal)'],
    ['environment', ['--environment', 'test'], 'it came from another appliance, tenant, environment'],
  ])('is not gone on with when this differs: %s', async (_, options, words) => {
    const before = readFileSync(`${desk.at('stop.csv')}.partial`);
    const { code, stderr } = await desk.run(exporting('stop.csv', ...options));
    expect([code, stderr]).toEqual([EXIT.refused, expect.stringContaining(words)]);
    expect(readFileSync(`${desk.at('stop.csv')}.partial`).equals(before)).toBe(true);
  });

  it('is not gone on with from another appliance, nor as an export of machines', async () => {
    const state = readFileSync(stateOf('stop.csv'), 'utf8');
    writeFileSync(stateOf('stop.csv'), state.replace(/"target":"\w/, '"target":"!')); // another branch of history
    const elsewhere = await desk.run(exporting('stop.csv'));
    expect([elsewhere.code, elsewhere.stderr]).toEqual([
      EXIT.refused,
      expect.stringContaining('it came from another appliance'),
    ]);
    writeFileSync(stateOf('stop.csv'), state);
    const machines = await desk.run(['machine', 'export', '--output', desk.at('stop.csv'), '--resume']);
    expect([machines.code, machines.stderr]).toEqual([
      EXIT.refused,
      expect.stringContaining('it was an export of something else'),
    ]);
    await expectFinished('stop.csv', readFileSync(desk.at('whole.csv')));
  });

  it('has no licence that was made since it began', async () => {
    await killed('later.csv', 2);
    const later = `key,name\n${strongKey(900_000)},later\n`;
    expect((await desk.imported('made.csv', later, '--policy', 'site')).code).toBe(EXIT.ok);
    await expectFinished('later.csv', readFileSync(desk.at('whole.csv')));
  });

  it('is named: there is nothing to resume on standard output, or where nothing was begun', async () => {
    const pipe = await desk.run(['license', 'export', '--resume']);
    expect([pipe.code, pipe.stdout, pipe.stderr]).toEqual([
      EXIT.usage,
      '',
      expect.stringContaining('--output'),
    ]);
    const none = await desk.run(['license', 'export', '--resume', '--output', desk.at('never.csv')]);
    expect([none.code, none.stderr]).toEqual([
      EXIT.usage,
      expect.stringContaining('there is no interrupted export of'),
    ]);
    expect(leftOf('never.csv')).toEqual([]);
  });
});
