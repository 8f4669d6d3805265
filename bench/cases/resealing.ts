import { setTimeout as wait } from 'node:timers/promises';
import { dataOf } from '../../test/support/daemon.ts';
import { sendAsOperator } from '../../test/support/operator-socket.ts';
import { type Asking, dataIn } from '../load.ts';
import type { BenchRow } from '../report.ts';
import { createPolicy, issue, loadOurs, type Stage } from '../stage.ts';

const PATH = '/api/v1/licenses/validate-key';
/** Of what the appliance can do in a closed loop. */
const LOAD = 0.5;
const BAR = 1.5;
const ENVIRONMENT = 'live';

interface DataKey {
  readonly environment: string | null;
  readonly resealing: {
    readonly resealed: number;
    readonly columnsDone: number;
    readonly columns: number;
  } | null;
}

/** How long validations take at half load, and how much longer while every sealed value is put under a new data key. */
export async function resealingCase(stage: Stage): Promise<BenchRow[]> {
  const { requests, many } = stage.sizes;
  const policyId = await createPolicy(stage, { name: 'Resealing', requireFingerprint: false });
  const licenses = await issue(stage, policyId, many);
  const bodies = licenses.map(({ key }) => JSON.stringify({ key }));
  const asking: Asking = {
    request: (i) => ({ method: 'POST', path: PATH, body: bodies[i % bodies.length] ?? '' }),
    check: (i, answer) => {
      const { code } = dataIn(200, i, answer);
      if (code !== 'VALID') throw new Error(`key ${String(i)} was judged ${String(code)}`);
    },
  };
  const closed = await loadOurs(stage, asking, { requests, anonymous: true });
  const shape = { requests, duePerSecond: closed.perSecond * LOAD, anonymous: true };
  const before = await loadOurs(stage, asking, shape);
  const { data } = stage.appliance;
  const headers = { 'x-mintmark-environment': ENVIRONMENT };
  const begun = performance.now();
  await dataOf(sendAsOperator(data, { method: 'POST', path: '/system/data-keys/rotate', body: {}, headers }));
  const during = await loadOurs(stage, asking, shape);
  const resealed = await walked(data);
  const seconds = (performance.now() - begun) / 1000;
  const slower = during.latency.p99Ms / before.latency.p99Ms;
  return [
    {
      name: 'validate-key at half load while values go under a new data key',
      ...{ unit: 'p99 ms', ours: during.latency.p99Ms, floor: before.latency.p99Ms },
      ...{ latency: during.latency, loopDelay: during.loopDelay },
      bar: `≤ ${String(BAR)} × p99 without`,
      holds: slower <= BAR,
    },
    {
      name: `values put under a new data key, ${String(resealed)} of them, partly beside that load`,
      ...{ unit: 'values/s', ours: resealed / seconds, floor: null },
      bar: '–',
      holds: null,
    },
  ];
}

/** Waits until every column was walked over. @returns values that were put under the new key */
async function walked(data: string): Promise<number> {
  for (;;) {
    const { body } = await sendAsOperator(data, { method: 'GET', path: '/system/data-keys' });
    const keys = body['data'] as readonly DataKey[]; // the route's schema
    const walk = keys.find(({ environment }) => environment === ENVIRONMENT)?.resealing ?? null;
    if (walk !== null && walk.columnsDone === walk.columns) return walk.resealed;
    await wait(50);
  }
}
