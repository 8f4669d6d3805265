// Which tests judge the broken code of a room (see .stryker.config.mjs).
import { defineConfig } from 'vitest/config';
import { chosenRoom } from './test/campaigns/mutation-rooms.ts';

export default defineConfig({
  test: {
    include: chosenRoom().tests.map((pattern) => `test/${pattern}`),
    // One process for all files of a run: what is loaded once is the same for every broken program.
    isolate: false,
    execArgv: ['--disable-proto=throw', '--secure-heap=1048576'],
    // Only what hangs for good ends here; Stryker has a limit of its own for a broken loop.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { requireAssertions: true },
    restoreMocks: true,
  },
});
