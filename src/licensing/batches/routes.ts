import type { Demand, Permit } from '../../access/index.ts';
import { oneAnswer } from '../../http/list.ts';
import { type Answer, type Route, routeOf } from '../../http/route.ts';
import type { ReadLicenseDeps } from '../licenses/show.ts';
import { batchAnswer, batchCheckAnswer, batchInput, storedCheck } from './batch-schema.ts';
import { checkBatch } from './check-batch.ts';
import { type BatchView, createBatch, type CreateBatchDeps } from './create-batch.ts';
import { rereadBatch } from './reread-batch.ts';

/** What the route of batches needs. */
export interface BatchRoutesDeps extends CreateBatchDeps, ReadLicenseDeps {
  readonly work: CreateBatchDeps['work'];
  readonly policies: ReadLicenseDeps['policies'];
}

const route = routeOf<Permit, Demand>();
/** A thousand licences with names and metadata. */
const BODY_BYTES = 1024 * 1024;

/** `POST /api/v1/licenses/batch`. */
export function batchRoutes(deps: BatchRoutesDeps): Route<Permit, Demand>[] {
  return [
    route({
      method: 'POST',
      path: '/api/v1/licenses/batch',
      summary:
        'Create up to 1000 licences, all or none, or check whether it could be done; shows their keys in full',
      tag: 'licenses',
      demand: { scope: 'licenses:write', also: [] },
      body: batchInput,
      maxBodyBytes: BODY_BYTES,
      answers: { 200: oneAnswer(batchCheckAnswer), 201: oneAnswer(batchAnswer) },
      idempotent: 'reread',
      present: created,
      // Keys are never stored for replay: they are read again from where they are sealed.
      reread: async ({ permit }, stored) => {
        const check = storedCheck.safeParse(stored);
        if (check.success) return { status: 200, body: check.data };
        return created(await rereadBatch(deps, permit, stored));
      },
      handle: async ({ permit, body }) =>
        body.dryRun === true
          ? { status: 200, body: { data: await checkBatch(deps, permit, body) } }
          : created(await createBatch(deps, permit, body)),
    }),
  ];
}

function created(view: BatchView): Answer {
  const licenseIds = view.licenses.map(({ id }) => id);
  return { status: 201, body: { data: view }, kept: { data: { id: view.id, licenseIds } } };
}
