/**
 * `npm run check`: every check there is, offline, one after the other; a failure does not hide the next one.
 * Ends with one line, `N passed, N failed` (`, N skipped`), and exits with 1 when anything failed.
 *
 * `--tally <file>` writes that line to the file instead, for a caller that has to print it last.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { sum, tallyLine, tallyOfStage, tallyOfTests, type Tally } from './check/tally.ts';

/** What Node made of our source, kept for the hundreds of processes that load the same files: a fifth of the work. */
const COMPILED = join(import.meta.dirname, '..', 'node_modules', '.cache', 'compiled');
/** Each is an npm script of its own, `check:<stage>`. */
const STAGES = ['format', 'lint', 'types', 'boundaries', 'security'];

function main(): number {
  const { values } = parseArgs({ options: { tally: { type: 'string' } } });
  const total = sum([...STAGES.map(runStage), runTests()]);
  const line = tallyLine(total);
  if (values.tally === undefined) console.log(line);
  else writeFileSync(values.tally, `${line}\n`);
  return total.failed === 0 ? 0 : 1;
}

function runStage(stage: string): Tally {
  console.log(`\n== ${stage}`);
  const tally = tallyOfStage(run(['run', '--silent', `check:${stage}`]));
  console.log(tally.failed === 0 ? `ok ${stage}` : `FAILED ${stage}`);
  return tally;
}

function runTests(): Tally {
  console.log('\n== tests');
  const directory = mkdtempSync(join(tmpdir(), 'mintmark-check-'));
  try {
    const report = join(directory, 'tests.json');
    const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
    const exitCode = run(['run', '--silent', 'test', '--', ...reporters]);
    return tallyOfTests(readIfThere(report), exitCode);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function run(npmArguments: readonly string[]): number | null {
  const env = { ...process.env, NODE_COMPILE_CACHE: COMPILED };
  return spawnSync('npm', npmArguments, { stdio: ['ignore', 'inherit', 'inherit'], env }).status;
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

process.exitCode = main();
