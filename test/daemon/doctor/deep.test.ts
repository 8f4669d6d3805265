import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lookDeep } from '../../../src/daemon/doctor/walk-ledger.ts';
import type { Parts } from '../../../src/daemon/parts.ts';
import { brokenRules } from '../../../src/storage/consistency.ts';
import { startDaemon, temporaryDirectory } from '../../support/daemon.ts';
import { live, type Lived, withParts } from './lived-appliance.ts';

const directory = temporaryDirectory();
const root = join(directory.path, 'appliance');
let lived: Lived;

beforeAll(async () => {
  const daemon = await startDaemon(root);
  lived = await live(daemon, { seed: 4711, requests: 500 });
  expect(await daemon.stop()).toBe(0);
});
afterAll(() => {
  directory[Symbol.dispose]();
});

const look = ({ work, custody, identity }: Parts) =>
  lookDeep({ reader: work.read, keys: custody, origin: identity.origin, pause: () => nextTurn() });

describe('an appliance after a long life', () => {
  it('has lived: everything that changes rows has happened', () => {
    console.info(lived);
    expect(lived.size).toBeGreaterThan(25);
  });

  it('has no row that is not what the ledger says', async () => {
    await withParts(root, async (parts) => {
      const report = await look(parts);
      expect(report).toMatchObject({ mismatches: [], found: 0, ledger: { ok: true } });
      expect(brokenRules(parts.directory.database)).toEqual([]);
    });
  });
});
