import { join } from 'node:path';
import { probe } from '../../src/custody/index.ts';
import type { TokenSettings } from '../../src/custody/pkcs11/signer.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { hasCompiler, Pkcs11Shim } from '../../test/support/pkcs11-shim.ts';
import { missingForTokens, NO_BACKUP, SoftHsm, tokenSets } from '../../test/support/softhsm.ts';
import { makeAppliance, serve } from '../appliance.ts';
import { type Asking, dataIn } from '../load.ts';
import type { BenchRow } from '../report.ts';
import { createPolicy, issue, loadOurs, openStage } from '../stage.ts';

const SLOW_MS = 50;
/** As many as a token of 50 ms serves within the five seconds that anybody waits for it. */
const SLOW_CONNECTIONS = 16;
const SLOW_REQUESTS = 400;

/** Licence files signed in SoftHSM, beside what the module does alone and beside the file custodian; then a slow token. */
export async function hsmCase(place: {
  readonly directory: string;
  readonly requests: number;
}): Promise<BenchRow[]> {
  const missing = missingForTokens() ?? (hasCompiler() ? null : 'there is no C compiler');
  if (missing !== null) throw new Error(`the token cannot be measured: ${missing}`);
  using hsm = new SoftHsm();
  using shim = new Pkcs11Shim();
  shim.order('');
  // The module behind the shim in both: it looks for orders at each signature.
  const settings = shim.inFrontOf(hsm);
  const raw = await rawRate(settings);
  const { requests } = place;
  const file = await measured(join(place.directory, 'in-files'), { requests });
  const sets = tokenSets(settings);
  const token = await measured(join(place.directory, 'in-token'), { requests, sets });
  shim.order(`slow ${SLOW_MS}`);
  const slowly = { requests: Math.min(SLOW_REQUESTS, requests), connections: SLOW_CONNECTIONS };
  const slow = await token.again(slowly);
  await token.stop();
  await file.stop();
  const row = (name: string, by: Measured, floor: number): BenchRow => {
    const { perSecond, latency, loopDelay } = by.first;
    return { name, unit: '/s', ours: perSecond, floor, latency, loopDelay, bar: '', holds: null };
  };
  return [
    row('licence-file checkout, keys in SoftHSM; floor: the module alone', token, raw),
    row('licence-file checkout, keys in SoftHSM; floor: keys in files', token, file.first.perSecond),
    row(
      `licence-file checkout, a token of ${SLOW_MS} ms, ${SLOW_CONNECTIONS} connections`,
      { ...token, first: slow },
      1000 / SLOW_MS,
    ),
  ];
}

type Load = Awaited<ReturnType<typeof loadOurs>>;

interface Measured {
  readonly first: Load;
  readonly again: (shape: { readonly requests: number; readonly connections: number }) => Promise<Load>;
  readonly stop: () => Promise<void>;
}

async function measured(
  root: string,
  { requests, sets = [] }: { readonly requests: number; readonly sets?: readonly string[] },
): Promise<Measured> {
  const init = sets.length === 0 ? [] : NO_BACKUP;
  const appliance = await serve(await makeAppliance(root, { sets, init }));
  const stage = await openStage({ appliance, floorUrl: '', sizes: { requests, many: 0, batches: 0 } });
  const policy = await createPolicy(stage, { name: 'Files', requireFingerprint: false });
  const licenses = await issue(stage, policy, Math.min(1000, requests));
  const load = (shape: { readonly requests: number; readonly connections?: number }): Promise<Load> =>
    loadOurs(stage, asking(licenses), shape);
  return { first: await load({ requests }), again: load, stop: () => appliance.stop() };
}

function asking(licenses: Awaited<ReturnType<typeof issue>>): Asking {
  return {
    request: (i) => ({
      method: 'POST',
      path: `/api/v1/licenses/${licenses[i % licenses.length]?.id ?? ''}/checkout`,
      body: '{"encrypt":false}',
    }),
    check: (i, answer) => {
      dataIn(200, i, answer);
    },
  };
}

/** Ed25519 signatures a second, one after the other, through the agent and with nothing of an appliance. */
async function rawRate(settings: TokenSettings): Promise<number> {
  const { module, parameters, environment } = settings;
  const around = { clock: systemClock, random: systemRandom };
  const { signing } = await probe({ module, parameters, environment, login: settings }, around);
  return signing?.find(({ algorithm }) => algorithm === 'ed25519')?.perSecond ?? 0;
}
