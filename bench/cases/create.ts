import { type Asking, dataIn } from '../load.ts';
import type { BenchRow } from '../report.ts';
import {
  createPolicy,
  floorAsking,
  type Issued,
  issuedIn,
  loadFloor,
  loadOurs,
  rateRow,
  type Stage,
} from '../stage.ts';

/** Creates licences, one a request. */
export async function createCase(stage: Stage): Promise<BenchRow[]> {
  const { requests } = stage.sizes;
  const policyId = await createPolicy(stage, { name: 'Create' });
  const body = { productId: stage.productId, policyId, name: 'Bench licence' };
  const made: Issued[] = [];
  const asking: Asking = {
    request: () => ({ method: 'POST', path: '/api/v1/licenses', body: JSON.stringify(body) }),
    check: (i, answer) => made.push(issuedIn(dataIn(201, i, answer))),
  };
  // Once through first: nobody's first second is measured.
  await loadOurs(stage, asking, { requests: Math.ceil(requests / 8) });
  const ours = await loadOurs(stage, asking, { requests });
  if (new Set(made.map(({ key }) => key)).size !== requests + Math.ceil(requests / 8))
    throw new Error('not every licence has a key of its own');
  const floor = await loadFloor(
    stage,
    floorAsking('/license', () => body),
    { requests },
  );
  return [rateRow('create licence, 64 connections', { ratio: 0.4, perSecond: 1500 }, { ours, floor })];
}
