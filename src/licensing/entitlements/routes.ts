import { z } from 'zod';
import type { Demand, Permit } from '../../access/index.ts';
import { etagOf, versionsMatching } from '../../http/etag.ts';
import { CREATION_QUERY, creationPage, listAnswer, listName, oneAnswer, pageOf } from '../../http/list.ts';
import { type Answer, type Route, routeOf } from '../../http/route.ts';
import { requireMayRestore } from '../caller.ts';
import { DELETED_QUERY, idParams, type Shown } from '../schema.ts';
import { createEntitlement, type CreateEntitlementDeps } from './create.ts';
import { deleteEntitlement } from './delete.ts';
import { entitlementAnswer, entitlementInput, entitlementPatch } from './entitlement-schema.ts';
import type { EntitlementView } from './entitlement.ts';
import { restoreEntitlement } from './restore.ts';
import { listEntitlements, showEntitlement } from './show.ts';
import { updateEntitlement } from './update.ts';

/** What the routes of entitlements need. */
export interface EntitlementRoutesDeps extends CreateEntitlementDeps {
  /** The appliance's branch, for entity tags. */
  readonly branch: () => string;
}

const route = routeOf<Permit, Demand>();
const PATH = '/api/v1/entitlements';
const read: Demand = { scope: 'entitlements:read', also: [] };
const write: Demand = { scope: 'entitlements:write', also: [] };

/** `/api/v1/entitlements`: create, list, show, change, delete, restore. */
export function entitlementRoutes(deps: EntitlementRoutesDeps): Route<Permit, Demand>[] {
  return [createRoute(deps), listRoute(deps), ...oneRoutes(deps), restoreRoute(deps)];
}

function createRoute(deps: EntitlementRoutesDeps): Route<Permit, Demand> {
  const present = (view: EntitlementView): Answer => shown(deps, { view, version: 1 }, 201);
  return route({
    method: 'POST',
    path: PATH,
    summary: 'Create an entitlement',
    tag: 'entitlements',
    demand: write,
    body: entitlementInput,
    answers: { 201: oneAnswer(entitlementAnswer) },
    idempotent: 'answer',
    present,
    handle: async ({ permit, body }) => present(await createEntitlement(deps, permit, body)),
  });
}

function listRoute(deps: EntitlementRoutesDeps): Route<Permit, Demand> {
  return route({
    method: 'GET',
    path: PATH,
    summary: 'List entitlements',
    tag: 'entitlements',
    demand: read,
    query: z.strictObject({ ...CREATION_QUERY, ...DELETED_QUERY }),
    answers: { 200: listAnswer(entitlementAnswer) },
    handle: ({ permit, query }) => {
      const { deleted = false, limit } = query;
      if (deleted) requireMayRestore(permit, 'entitlements:write');
      const sort = listName(query.sort, { deleted });
      const page = { ...creationPage(query, sort), deleted };
      const rows = listEntitlements(deps, permit, page);
      return { status: 200, body: pageOf(rows, limit, { sort, keyOf: seqOf, show: viewOf }) };
    },
  });
}

function restoreRoute(deps: EntitlementRoutesDeps): Route<Permit, Demand> {
  const present = (result: Shown<EntitlementView>): Answer => shown(deps, result, 200);
  return route({
    method: 'POST',
    path: `${PATH}/{id}/restore`,
    summary: 'Bring back an entitlement that was deleted and is not purged yet',
    tag: 'entitlements',
    demand: write,
    params: idParams,
    answers: { 200: oneAnswer(entitlementAnswer) },
    idempotent: 'answer',
    present,
    handle: async (call) => {
      const versions = versionsMatching(call.header('if-match'), deps.branch());
      return present(await restoreEntitlement(deps, call.permit, { id: call.params.id, versions }));
    },
  });
}

function oneRoutes(deps: EntitlementRoutesDeps): Route<Permit, Demand>[] {
  const one = { path: `${PATH}/{id}`, tag: 'entitlements', params: idParams } as const;
  const answers = { 200: oneAnswer(entitlementAnswer) };
  return [
    route({
      ...one,
      method: 'GET',
      summary: 'Show an entitlement',
      demand: read,
      answers,
      handle: ({ permit, params }) => shown(deps, showEntitlement(deps, permit, params.id), 200),
    }),
    route({
      ...one,
      method: 'PATCH',
      summary: 'Change an entitlement; its code is fixed',
      demand: write,
      body: entitlementPatch,
      answers,
      handle: async (call) => {
        const versions = versionsMatching(call.header('if-match'), deps.branch());
        const request = { id: call.params.id, versions, change: call.body };
        return shown(deps, await updateEntitlement(deps, call.permit, request), 200);
      },
    }),
    route({
      ...one,
      method: 'DELETE',
      summary: 'Delete an entitlement that no policy and no licence has',
      demand: write,
      answers: { 204: null },
      handle: async (call) => {
        const versions = versionsMatching(call.header('if-match'), deps.branch());
        await deleteEntitlement(deps, call.permit, { id: call.params.id, versions });
        return { status: 204 };
      },
    }),
  ];
}

function shown(
  deps: EntitlementRoutesDeps,
  { view, version }: Shown<EntitlementView>,
  status: number,
): Answer {
  return { status, body: { data: view }, headers: { etag: etagOf(deps.branch(), version) } };
}

const seqOf = ({ seq }: { readonly seq: number }): number => seq;
const viewOf = ({ view }: { readonly view: EntitlementView }): EntitlementView => view;
