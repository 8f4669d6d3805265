import { defineConfig } from 'vitest/config';

/** What `npm run test:hsm-matrix` runs. */
const MATRIX = 'test/custody/pkcs11/matrix.test.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Campaigns run for minutes to hours, each by its own npm script; a TPM takes half a second for each of its tokens.
    exclude: ['test/campaigns/**', ...(process.env['HSM_MATRIX'] === undefined ? [MATRIX] : [])],
    // Native modules and signals need a process of their own; two at a time leave a core for the daemons they start.
    pool: 'forks',
    maxWorkers: 2,
    // The flags of scripts/mintmark: what is tested runs as it does in production.
    execArgv: ['--disable-proto=throw', '--secure-heap=1048576'],
    // Not a limit on speed: only a test that hangs for good ends here, on the slowest machine.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    // A test that left nothing to check has checked nothing.
    expect: { requireAssertions: true },
    restoreMocks: true,
    // Node itself loads source and tests, stripping the types as it does in production: nothing is bundled or rewritten.
    experimental: { viteModuleRunner: false, nodeLoader: false },
  },
});
