import { z } from 'zod';
import type { Demand, Permit } from '../../access/index.ts';
import { etagOf, versionsMatching } from '../../http/etag.ts';
import { CREATION_QUERY, creationPage, listAnswer, listName, oneAnswer, pageOf } from '../../http/list.ts';
import { type Answer, type Route, routeOf } from '../../http/route.ts';
import { requireMayRestore } from '../caller.ts';
import { DELETED_QUERY, idParams, idSchema, type Shown } from '../schema.ts';
import { createPolicy, type CreatePolicyDeps } from './create.ts';
import { deletePolicy } from './delete.ts';
import { disentitlePolicy, entitlePolicy } from './entitle.ts';
import { policyAnswer, policyInput, policyPatch } from './policy-schema.ts';
import type { PolicyView } from './policy.ts';
import { restorePolicy } from './restore.ts';
import { listPolicies, showPolicy } from './show.ts';
import { updatePolicy, type UpdatePolicyDeps } from './update.ts';

/** What the routes of policies need. */
export interface PolicyRoutesDeps extends CreatePolicyDeps, UpdatePolicyDeps {
  /** The appliance's branch, for entity tags. */
  readonly branch: () => string;
}

const route = routeOf<Permit, Demand>();
const PATH = '/api/v1/policies';
const TAG = 'policies';
const read: Demand = { scope: 'policies:read', also: [] };
const write: Demand = { scope: 'policies:write', also: [] };

/** `/api/v1/policies`: create, list, show, change, delete, restore, attach and detach entitlements. */
export function policyRoutes(deps: PolicyRoutesDeps): Route<Permit, Demand>[] {
  return [
    createRoute(deps),
    listRoute(deps),
    ...oneRoutes(deps),
    restoreRoute(deps),
    ...entitlementRoutes(deps),
  ];
}

function createRoute(deps: PolicyRoutesDeps): Route<Permit, Demand> {
  const present = (view: PolicyView): Answer => shown(deps, { view, version: 1 }, 201);
  return route({
    method: 'POST',
    path: PATH,
    summary: 'Create a policy',
    tag: TAG,
    demand: write,
    body: policyInput,
    answers: { 201: oneAnswer(policyAnswer) },
    idempotent: 'answer',
    present,
    handle: async ({ permit, body }) => present(await createPolicy(deps, permit, body)),
  });
}

function listRoute(deps: PolicyRoutesDeps): Route<Permit, Demand> {
  return route({
    method: 'GET',
    path: PATH,
    summary: 'List policies',
    tag: TAG,
    demand: read,
    query: z.strictObject({ ...CREATION_QUERY, ...DELETED_QUERY, productId: idSchema.optional() }),
    answers: { 200: listAnswer(policyAnswer) },
    handle: ({ permit, query }) => {
      const { deleted = false, productId, limit } = query;
      if (deleted) requireMayRestore(permit, 'policies:write');
      const sort = listName(query.sort, { deleted, productId });
      const page = { ...creationPage(query, sort), deleted, productId };
      const rows = listPolicies(deps, permit, page);
      return { status: 200, body: pageOf(rows, limit, { sort, keyOf: seqOf, show: viewOf }) };
    },
  });
}

function restoreRoute(deps: PolicyRoutesDeps): Route<Permit, Demand> {
  const present = (result: Shown<PolicyView>): Answer => shown(deps, result, 200);
  return route({
    method: 'POST',
    path: `${PATH}/{id}/restore`,
    summary: 'Bring back a policy that was deleted and is not purged yet',
    tag: 'policies',
    demand: write,
    params: idParams,
    answers: { 200: oneAnswer(policyAnswer) },
    idempotent: 'answer',
    present,
    handle: async (call) => {
      const versions = versionsMatching(call.header('if-match'), deps.branch());
      return present(await restorePolicy(deps, call.permit, { id: call.params.id, versions }));
    },
  });
}

function oneRoutes(deps: PolicyRoutesDeps): Route<Permit, Demand>[] {
  const one = { path: `${PATH}/{id}`, tag: TAG, params: idParams } as const;
  const answers = { 200: oneAnswer(policyAnswer) };
  return [
    route({
      ...one,
      method: 'GET',
      summary: 'Show a policy with every setting resolved',
      demand: read,
      answers,
      handle: ({ permit, params }) => shown(deps, showPolicy(deps, permit, params.id), 200),
    }),
    route({
      ...one,
      method: 'PATCH',
      summary: 'Change a policy; its product, template and code are fixed',
      demand: write,
      body: policyPatch,
      answers,
      handle: async (call) => {
        const versions = versionsMatching(call.header('if-match'), deps.branch());
        const request = { id: call.params.id, versions, change: call.body };
        return shown(deps, await updatePolicy(deps, call.permit, request), 200);
      },
    }),
    route({
      ...one,
      method: 'DELETE',
      summary: 'Delete a policy that no licence follows',
      demand: write,
      answers: { 204: null },
      handle: async (call) => {
        const versions = versionsMatching(call.header('if-match'), deps.branch());
        await deletePolicy(deps, call.permit, { id: call.params.id, versions });
        return { status: 204 };
      },
    }),
  ];
}

function entitlementRoutes(deps: PolicyRoutesDeps): Route<Permit, Demand>[] {
  const pair = {
    path: `${PATH}/{id}/entitlements/{entitlementId}`,
    tag: TAG,
    demand: write,
    params: idParams.extend({ entitlementId: idSchema }),
    answers: { 204: null },
  } as const;
  return [
    route({
      ...pair,
      method: 'PUT',
      summary: 'Give an entitlement to every licence of a policy',
      handle: async ({ permit, params: { id, entitlementId } }) => {
        await entitlePolicy(deps, permit, { policyId: id, entitlementId });
        return { status: 204 };
      },
    }),
    route({
      ...pair,
      method: 'DELETE',
      summary: 'Take an entitlement from a policy',
      handle: async ({ permit, params: { id, entitlementId } }) => {
        await disentitlePolicy(deps, permit, { policyId: id, entitlementId });
        return { status: 204 };
      },
    }),
  ];
}

function shown(deps: PolicyRoutesDeps, { view, version }: Shown<PolicyView>, status: number): Answer {
  return { status, body: { data: view }, headers: { etag: etagOf(deps.branch(), version) } };
}

const seqOf = ({ seq }: { readonly seq: number }): number => seq;
const viewOf = ({ view }: { readonly view: PolicyView }): PolicyView => view;
