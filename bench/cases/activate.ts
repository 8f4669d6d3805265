import { dataOf, send } from '../../test/support/daemon.ts';
import { type Asking, expectStatus } from '../load.ts';
import type { BenchRow } from '../report.ts';
import {
  createPolicy,
  floorAsking,
  floorLicenses,
  issue,
  type Issued,
  loadFloor,
  loadOurs,
  rateRow,
  type Stage,
} from '../stage.ts';

const BAR = { perSecond: 2000 };
/** Licences whose second machine is seen to be refused. */
const REFUSED = 50;

/** Activates on one licence with very many seats, until none is left. */
export async function activateOneCase(stage: Stage): Promise<BenchRow[]> {
  const { many } = stage.sizes;
  const policyId = await createPolicy(stage, { name: 'One of many seats', maxMachines: many });
  const [license] = await issue(stage, policyId, 1);
  if (license === undefined) throw new Error('a batch of one is one');
  const ours = await loadOurs(
    stage,
    activations(() => license),
    { requests: many },
  );
  const shown = await dataOf(send(stage.appliance, { method: 'GET', path: `/licenses/${license.id}` }));
  if (shown['machineCount'] !== many) throw new Error('the seats taken are not the machines activated');
  await demandFull(stage, [license]);
  const floor = await floorActivations(stage, 1);
  return [rateRow(`activate, one licence of ${many.toLocaleString('en')} seats`, BAR, { ours, floor })];
}

/** Activates on very many licences with one seat each. */
export async function activateEachCase(stage: Stage): Promise<BenchRow[]> {
  const { many } = stage.sizes;
  const policyId = await createPolicy(stage, { name: 'Many of one seat', maxMachines: 1 });
  const licenses = await issue(stage, policyId, many);
  const ours = await loadOurs(
    stage,
    activations((i) => licenses[i]),
    { requests: many },
  );
  await demandFull(stage, licenses.slice(0, REFUSED));
  const floor = await floorActivations(stage, Math.min(many, 1000));
  return [rateRow(`activate, ${many.toLocaleString('en')} licences of one seat`, BAR, { ours, floor })];
}

function activations(license: (i: number) => Issued | undefined): Asking {
  return {
    request: (i) => ({
      method: 'POST',
      path: `/api/v1/licenses/${license(i)?.id ?? ''}/machines`,
      body: JSON.stringify({ fingerprint: `bench-machine-${i}`, platform: 'linux' }),
    }),
    check: expectStatus(201),
  };
}

/** One machine more is refused: no seat was given twice, and none was lost. */
async function demandFull(stage: Stage, licenses: readonly Issued[]): Promise<void> {
  for (const { id } of licenses) {
    const body = { fingerprint: 'bench-machine-too-many' };
    const answer = await send(stage.appliance, { method: 'POST', path: `/licenses/${id}/machines`, body });
    if (answer.body['code'] !== 'MACHINE_LIMIT_EXCEEDED')
      throw new Error(`a machine too many was answered ${answer.status} ${JSON.stringify(answer.body)}`);
  }
}

async function floorActivations(stage: Stage, licenses: number): ReturnType<typeof loadFloor> {
  const bare = await floorLicenses(stage, licenses);
  const body = (i: number) => ({ license: bare[i % licenses]?.id ?? '', fingerprint: `bench-machine-${i}` });
  return loadFloor(stage, floorAsking('/machine', body), { requests: stage.sizes.many });
}
