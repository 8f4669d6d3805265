import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { verifyTrustBundle } from '../../src/verify/index.ts';
import { mintmark } from '../cli/run-cli.ts';
import { startDaemon, temporaryDirectory } from '../support/daemon.ts';
import { sendAsOperator } from '../support/operator-socket.ts';

const KILLS = 3;
/** Keys that are looked at before a kill: every other one is announced, or taken back. */
const ANSWERS = 8;

interface KeyRow {
  readonly kid: string;
  readonly purpose: string;
  readonly environment: string | null;
  readonly state: string;
}

/** Announces a token key and takes it back, as fast as it goes, until the daemon is gone; tells of each answer. */
async function changeUntilKilled(data: string, answered: () => void): Promise<void> {
  const post = (path: string, body: object = {}) =>
    sendAsOperator(data, { method: 'POST', path: `/system/signing-keys${path}`, body });
  for (;;) {
    for (const { kid, state } of await tokenKeys(data)) {
      if (state === 'pending') await post(`/${kid}/retire`);
      if (state === 'active') await post(`/${kid}/rotate`);
      answered();
    }
  }
}

async function keysOf(data: string): Promise<KeyRow[]> {
  const { body } = await sendAsOperator(data, { method: 'GET', path: '/system/signing-keys' });
  return body['data'] as KeyRow[]; // the route's answer
}

async function tokenKeys(data: string): Promise<KeyRow[]> {
  return (await keysOf(data)).filter(
    ({ purpose, environment }) => purpose === 'token' && environment === 'live',
  );
}

it(`the bundle says what the keyring holds, through ${String(KILLS)} kills while keys change`, async () => {
  using directory = temporaryDirectory();
  const appliance = join(directory.path, 'appliance');
  for (let kill = 0; kill < KILLS; kill++) {
    const daemon = await startDaemon(appliance);
    const data = join(daemon.dir, 'data');
    let changing: Promise<unknown> = Promise.resolve();
    await new Promise<void>((resolve) => {
      let answers = 0;
      changing = changeUntilKilled(data, () => {
        answers++;
        if (answers === ANSWERS) resolve();
      }).catch(() => undefined);
    });
    // Somewhere in the next change.
    await sleep(7 * kill);
    await daemon.kill();
    await changing;
  }
  const daemon = await startDaemon(appliance);
  const data = join(daemon.dir, 'data');
  const run = (...args: string[]) => mintmark([...args, '--data-dir', data]);
  try {
    const pin = (await run('trust', 'fingerprint')).stdout.trim();
    const bundle = (await run('trust', 'export')).stdout.trim();
    const { accepted, trust } = verifyTrustBundle(bundle, { roots: [pin] });
    expect(accepted).toBe(true);
    const named = (rows: readonly { kid: string; state: string }[]): string[] =>
      rows.map(({ kid, state }) => `${kid} ${state}`).sort();
    const certified = (await keysOf(data)).filter(
      ({ purpose }) => purpose !== 'root' && purpose !== 'ledger',
    );
    expect(named(trust?.keys ?? [])).toEqual(named(certified));
    // Seven keys there were from the start.
    expect(certified.length).toBeGreaterThanOrEqual(7 + KILLS);
    expect((await run('keys', 'verify')).code).toBe(EXIT.ok);
    const out = join(directory.path, 'export');
    expect((await run('audit', 'export', out)).code).toBe(EXIT.ok);
    expect((await mintmark(['audit', 'verify', out])).code).toBe(EXIT.ok);
  } finally {
    await daemon.stop();
  }
});
