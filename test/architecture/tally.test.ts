import { describe, expect, it } from 'vitest';
import { sum, tallyLine, tallyOfStage, tallyOfTests } from '../../scripts/check/tally.ts';

const file = (status: string, ...tests: string[]) => ({
  status,
  assertionResults: tests.map((test) => ({ status: test })),
});

/** A report of the test runner with these files. */
function report(files: ReturnType<typeof file>[]): string {
  const count = (status: string) =>
    files.flatMap((one) => one.assertionResults).filter((test) => test.status === status).length;
  return JSON.stringify({
    numPassedTests: count('passed'),
    numFailedTests: count('failed'),
    numPendingTests: count('pending'),
    numTodoTests: count('todo'),
    testResults: files,
  });
}

describe('the tally of a check', () => {
  it('ends with what passed and failed, and with what was skipped when anything was', () => {
    expect(tallyLine({ passed: 3, failed: 0, skipped: 0 })).toBe('3 passed, 0 failed');
    expect(tallyLine({ passed: 3, failed: 1, skipped: 2 })).toBe('3 passed, 1 failed, 2 skipped');
  });

  it('counts a stage as one, failed when its program was killed', () => {
    const stages = [0, 1, null].map(tallyOfStage);
    expect(sum(stages)).toEqual({ passed: 1, failed: 2, skipped: 0 });
  });

  it('counts every test', () => {
    const text = report([file('passed', 'passed', 'pending'), file('failed', 'passed', 'failed')]);
    expect(tallyOfTests(text, 1)).toEqual({ passed: 2, failed: 1, skipped: 1 });
  });

  it('counts a test file that could not be loaded as a failure', () => {
    const text = report([file('passed', 'passed'), file('failed')]);
    expect(tallyOfTests(text, 1)).toEqual({ passed: 1, failed: 1, skipped: 0 });
  });

  it('counts an error outside every test as a failure', () => {
    expect(tallyOfTests(report([file('passed', 'passed')]), 1)).toEqual({ passed: 1, failed: 1, skipped: 0 });
    expect(tallyOfTests(report([file('passed', 'passed')]), 0)).toEqual({ passed: 1, failed: 0, skipped: 0 });
  });

  it('takes a run without report, with half a report or without a single test for a failure', () => {
    const failed = { passed: 0, failed: 1, skipped: 0 };
    expect(tallyOfTests(undefined, 0)).toEqual(failed);
    expect(tallyOfTests('{"numPassedTests":', 0)).toEqual(failed);
    expect(tallyOfTests(report([]), 0)).toEqual(failed);
  });
});
