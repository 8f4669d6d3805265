import { spawnSync } from 'node:child_process';
import { fakeTimeLibrary } from '../support/fake-time.ts';

/** Runs the tests with a wall clock that passes each of these moments: `node test/campaigns/at-dates.ts [test file …]`. */
const MOMENTS = ['2038-01-19T03:14:08Z', '2028-02-29T00:00:00Z'];

/** The clock begins this long before: the moment falls into the first minutes of the run. */
const LEAD_MS = 60_000;

/** Tests whose subject takes the place of libfaketime in the processes that they start. */
const NOT_HERE = [
  'test/daemon/clock.test.ts',
  'test/daemon/calendar.test.ts',
  'test/daemon/io-errors.test.ts',
];

const library = fakeTimeLibrary();
if (library === undefined) throw new Error('faketime is not installed: apt-get install faketime');

for (const moment of MOMENTS) {
  // A distance, not a date: every process of the run, whenever it starts, has the same clock.
  const seconds = Math.round((Date.parse(moment) - LEAD_MS - Date.now()) / 1000);
  const env = {
    ...process.env,
    LD_PRELOAD: library,
    FAKETIME: `+${String(seconds)}`,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };
  console.log(`\n== ${moment}`);
  const flags = ['run', ...NOT_HERE.map((file) => `--exclude=${file}`), ...process.argv.slice(2)];
  const run = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', ...flags], {
    env,
    stdio: 'inherit',
  });
  if (run.status !== 0) process.exitCode = 1;
}
