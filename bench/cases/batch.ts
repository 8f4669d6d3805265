import { type Asking, dataIn } from '../load.ts';
import type { BenchRow } from '../report.ts';
import { createPolicy, floorAsking, type Issued, loadFloor, loadOurs, type Stage } from '../stage.ts';

const COUNT = 1000;
const BAR = 6000;
const BAR_DELAY_MS = 50;

/** Licences in batches of 1000, one batch after the other, and how late timers come meanwhile. */
export async function batchCase(stage: Stage): Promise<BenchRow[]> {
  const { batches } = stage.sizes;
  const policyId = await createPolicy(stage, { name: 'Batch' });
  const body = { template: { productId: stage.productId, policyId, name: 'Bench licence' }, count: COUNT };
  const keys = new Set<string>();
  const asking: Asking = {
    request: () => ({ method: 'POST', path: '/api/v1/licenses/batch', body: JSON.stringify(body) }),
    check: (i, answer) => {
      const { licenses } = dataIn(201, i, answer);
      for (const { key } of licenses as readonly Issued[]) keys.add(key); // documented answer of the route
    },
  };
  const shape = { requests: batches, connections: 1 };
  const ours = await loadOurs(stage, asking, shape);
  if (keys.size !== batches * COUNT) throw new Error('not every licence has a key of its own');
  const floorBody = { count: String(COUNT), name: 'Bench licence', policyId };
  const floor = await loadFloor(
    stage,
    floorAsking('/batch', () => floorBody),
    shape,
  );
  const perSecond = ours.perSecond * COUNT;
  return [
    {
      name: 'licences in batches of 1000, one connection',
      unit: 'licences/s',
      ours: perSecond,
      floor: floor.perSecond * COUNT,
      latency: ours.latency,
      loopDelay: ours.loopDelay,
      bar: `≥ ${BAR}/s, loop delay ≤ ${BAR_DELAY_MS} ms`,
      holds: perSecond >= BAR && ours.loopDelay.longestMs <= BAR_DELAY_MS,
    },
  ];
}
