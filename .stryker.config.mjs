// Breaks the code of one room on purpose, one small change at a time, and says which changes no test noticed.
// `npm run test:mutation` goes through the rooms of test/campaigns/mutation-rooms.ts.
import { chosenRoom } from './test/campaigns/mutation-rooms.ts';

const { name, mutate } = chosenRoom();

export default {
  testRunner: 'vitest',
  plugins: ['@stryker-mutator/vitest-runner'],
  mutate: mutate.map((pattern) => `src/${pattern}`),
  // Files of our own modules and native ones: a process, not a thread, as in every run of the tests.
  vitest: { configFile: '.stryker.vitest.mjs', related: false, pool: 'forks' },
  coverageAnalysis: 'perTest',
  concurrency: 1,
  disableTypeChecks: true,
  // A change of a table that is made once, at loading, would have to be judged by every test there is.
  ignoreStatic: process.env.MUTATION_STATIC === undefined,
  // A busy machine must not be taken for a broken loop: what only waited would count as noticed.
  timeoutMS: 60_000,
  reporters: ['clear-text', 'json'],
  clearTextReporter: { allowColor: false, logTests: false, allowEmojis: false },
  jsonReporter: { fileName: `var/mutation/${name}.json` },
  tempDirName: 'var/mutation/tree',
  ignorePatterns: ['var', 'dist'],
};
