/**
 * `npm run test:wycheproof -- <directory>`: runs the Wycheproof vectors of every primitive we use against both
 * implementations of it: node:crypto, which the appliance uses, and noble, which the verify library uses. The directory
 * holds the `*_test.json` files of the project. Exits with 1 when any answer differs from the expected one.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  PRIMITIVES,
  type Primitive,
  type WycheproofGroup,
  type WycheproofTest,
} from './wycheproof-primitives.ts';

interface WycheproofFile {
  readonly testGroups: readonly (WycheproofGroup & { readonly tests: readonly WycheproofTest[] })[];
}

interface Score {
  passed: number;
  skipped: number;
  readonly failures: string[];
}

function main(): number {
  const [directory] = process.argv.slice(2);
  if (directory === undefined) {
    console.error('usage: npm run test:wycheproof -- <directory with the *_test.json files>');
    return 2;
  }
  const scores = PRIMITIVES.map((primitive) => report(primitive, run(primitive, directory)));
  const sum = (pick: (score: Score) => number): string =>
    scores.reduce((n, score) => n + pick(score), 0).toString();
  console.log(
    `${sum((s) => s.passed)} passed, ${sum((s) => s.failures.length)} failed, ${sum((s) => s.skipped)} skipped`,
  );
  return scores.every(({ failures }) => failures.length === 0) ? 0 : 1;
}

function run(primitive: Primitive, directory: string): Score {
  const text = readFileSync(join(directory, primitive.file), 'utf8');
  const { testGroups } = JSON.parse(text) as WycheproofFile; // the schema the vectors are published with
  const score: Score = { passed: 0, skipped: 0, failures: [] };
  for (const group of testGroups) for (const test of group.tests) runOne(primitive, { group, test }, score);
  if (score.passed === 0) score.failures.push('nothing was run');
  return score;
}

function runOne(
  primitive: Primitive,
  vector: { readonly group: WycheproofGroup; readonly test: WycheproofTest },
  score: Score,
): void {
  const { group, test } = vector;
  const answer = answerOf(() => primitive.check(test, group));
  if (answer === 'not used') score.skipped++;
  // The vectors leave "acceptable" to the implementation; all others are decided.
  else if (test.result === 'acceptable' || answer === (test.result === 'valid')) score.passed++;
  else score.failures.push(`${test.tcId.toString()} ${test.comment}: expected ${test.result}`);
}

/** What throws did not accept. */
function answerOf(check: () => boolean | 'not used'): boolean | 'not used' {
  try {
    return check();
  } catch {
    return false;
  }
}

function report(primitive: Primitive, score: Score): Score {
  const { passed, skipped, failures } = score;
  const counts = `${passed.toString()} passed, ${failures.length.toString()} failed, ${skipped.toString()} of a shape we do not use`;
  console.log(`${primitive.name}: ${counts}`);
  for (const failure of failures) console.log(`  FAILED ${failure}`);
  return score;
}

process.exitCode = main();
