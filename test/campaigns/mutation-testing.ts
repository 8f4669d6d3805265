/**
 * `npm run test:mutation [-- <room>…]`: breaks the pure rules, the formats, the ledger's arithmetic and the permits on
 * purpose, one small change at a time, and says which changes no test noticed. Room by room (mutation-rooms.ts); the
 * reports lie in `var/mutation/`. Exits with 1 when fewer than 80 % of the changes in a room were noticed.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { MUTATION_ROOM_NAMES, type MutationRoomName } from './mutation-rooms.ts';

const STRYKER = 'node_modules/@stryker-mutator/core/bin/stryker.js';
const LEAST_SCORE = 80;

/** What became of one change, as mutation-testing-elements' schema 2 names it. */
interface Report {
  readonly files: Readonly<Record<string, { readonly mutants: readonly { readonly status: string }[] }>>;
}

interface Score {
  readonly noticed: number;
  /** Of those, by a program that did not end. */
  readonly timeouts: number;
  readonly changes: number;
}

function main(): number {
  const asked = process.argv.slice(2);
  const rooms = MUTATION_ROOM_NAMES.filter((room) => asked.length === 0 || asked.includes(room));
  if (rooms.length < asked.length || rooms.length === 0) {
    console.error(`usage: npm run test:mutation [-- ${MUTATION_ROOM_NAMES.join(' | ')}]`);
    return 2;
  }
  const lines = rooms.map((room) => ({ room, score: breakRoom(room) }));
  for (const { room, score } of lines) console.log(lineOf(room, score));
  return lines.every(({ score }) => percentOf(score) >= LEAST_SCORE) ? 0 : 1;
}

function breakRoom(room: MutationRoomName): Score | undefined {
  const env = { ...process.env, MUTATION_ROOM: room };
  const run = spawnSync(process.execPath, [STRYKER, 'run', '.stryker.config.mjs'], { stdio: 'inherit', env });
  if (run.status !== 0) return undefined;
  const report = JSON.parse(readFileSync(`var/mutation/${room}.json`, 'utf8')) as Report; // just written by Stryker
  return scoreOf(report);
}

function scoreOf(report: Report): Score {
  const statuses = Object.values(report.files).flatMap(({ mutants }) => mutants.map(({ status }) => status));
  const count = (...some: string[]): number => statuses.filter((status) => some.includes(status)).length;
  const noticed = count('Killed', 'Timeout');
  return { noticed, timeouts: count('Timeout'), changes: noticed + count('Survived', 'NoCoverage') };
}

/** A room of which nothing is known, or in which nothing was changed, has no score at all. */
function percentOf(score: Score | undefined): number {
  return score === undefined || score.changes === 0 ? 0 : (100 * score.noticed) / score.changes;
}

function lineOf(room: string, score: Score | undefined): string {
  if (score === undefined) return `${room}: did not run`;
  const { noticed, timeouts, changes } = score;
  return `${room}: ${percentOf(score).toFixed(1)} % noticed (${noticed} of ${changes}, ${timeouts} by time)`;
}

process.exitCode = main();
