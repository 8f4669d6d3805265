import { z } from 'zod';

/** How many checks ended how. A stage such as `lint` is one check, a test of the test runner is one. */
export interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** The sum of several tallies. */
export function sum(tallies: readonly Tally[]): Tally {
  return tallies.reduce(
    (total, next) => ({
      passed: total.passed + next.passed,
      failed: total.failed + next.failed,
      skipped: total.skipped + next.skipped,
    }),
    { passed: 0, failed: 0, skipped: 0 },
  );
}

/** One stage's tally, by its exit code (`null`: ended by a signal). */
export function tallyOfStage(exitCode: number | null): Tally {
  return exitCode === 0 ? { passed: 1, failed: 0, skipped: 0 } : { passed: 0, failed: 1, skipped: 0 };
}

/** The line everything ends with: `12 passed, 0 failed`, and `, 3 skipped` when any. */
export function tallyLine(tally: Tally): string {
  const skipped = tally.skipped > 0 ? `, ${tally.skipped} skipped` : '';
  return `${tally.passed} passed, ${tally.failed} failed${skipped}`;
}

/** What we read of the report that `vitest --reporter=json` writes. */
const Report = z.object({
  numPassedTests: z.number(),
  numFailedTests: z.number(),
  numPendingTests: z.number(),
  numTodoTests: z.number(),
  testResults: z.array(
    z.object({ status: z.string(), assertionResults: z.array(z.object({ status: z.string() })) }),
  ),
});

/**
 * The test runner's tally.
 *
 * A file that could not be loaded has no test that failed, and an error outside any test fails none: both would pass
 * unseen if only tests were counted, so each counts as one failure. So does a run that left no report, or no test.
 * @param report the text of the JSON report, `undefined` when there is none
 */
export function tallyOfTests(report: string | undefined, exitCode: number | null): Tally {
  const parsed = Report.safeParse(report === undefined ? undefined : parseJson(report));
  if (!parsed.success) return { passed: 0, failed: 1, skipped: 0 };
  const { numPassedTests, numFailedTests, numPendingTests, numTodoTests, testResults } = parsed.data;
  const broken = testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  ).length;
  const seen = numFailedTests + broken;
  const unseen = seen === 0 && (exitCode !== 0 || numPassedTests === 0) ? 1 : 0;
  return { passed: numPassedTests, failed: seen + unseen, skipped: numPendingTests + numTodoTests };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
