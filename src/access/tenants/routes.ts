import { z } from 'zod';
import { etagOf, versionsMatching } from '../../http/etag.ts';
import { decodeCursor, listAnswer, oneAnswer, PAGE_QUERY, pageOf } from '../../http/list.ts';
import { type Answer, type Route, routeOf } from '../../http/route.ts';
import type { Demand, Permit } from '../permit.ts';
import { createTenant, type CreateTenantDeps, type ShownTenant } from './create-tenant.ts';
import { listTenants, showTenant } from './show-tenant.ts';
import { tenantAnswer, tenantInput, tenantParams, tenantPatch } from './tenant-schema.ts';
import { type TenantDeps, updateTenant } from './update-tenant.ts';

/** What the routes of tenants need. */
export interface TenantRoutesDeps extends Omit<CreateTenantDeps, 'sealer'>, TenantDeps {
  /** The appliance's branch, for entity tags. */
  readonly branch: () => string;
}

const route = routeOf<Permit, Demand>();
const PATH = '/api/v1/tenants';
const TAG = 'tenants';
const NEWEST_FIRST = 'newest';
/** Sorts after every id. */
const AFTER_ALL = 'ten_~';
const operator: Demand = { scope: null, also: [], operatorOnly: true };

/** `/api/v1/tenants`: create, list, show, change. For the local operator alone. */
export function tenantRoutes(deps: TenantRoutesDeps): Route<Permit, Demand>[] {
  return [createRoute(deps), listRoute(deps), ...oneRoutes(deps)];
}

function createRoute(deps: TenantRoutesDeps): Route<Permit, Demand> {
  const present = (tenant: ShownTenant): Answer => shown(deps, tenant, 201);
  return route({
    method: 'POST',
    path: PATH,
    summary: 'Create a tenant with its live and test realm, keys and trust bundle',
    tag: TAG,
    demand: operator,
    body: tenantInput,
    answers: { 201: oneAnswer(tenantAnswer) },
    idempotent: 'answer',
    present,
    handle: async ({ permit, body }) => present(await createTenant(deps, permit, body)),
  });
}

function listRoute(deps: TenantRoutesDeps): Route<Permit, Demand> {
  return route({
    method: 'GET',
    path: PATH,
    summary: 'List tenants, newest first',
    tag: TAG,
    demand: operator,
    query: z.strictObject(PAGE_QUERY),
    answers: { 200: listAnswer(tenantAnswer) },
    handle: ({ query }) => {
      const before =
        query.cursor === undefined ? AFTER_ALL : String(decodeCursor(query.cursor, NEWEST_FIRST));
      const rows = listTenants(deps, { before, limit: query.limit + 1 });
      const body = pageOf(rows, query.limit, {
        sort: NEWEST_FIRST,
        keyOf: ({ view }) => view.id,
        show: ({ view }) => view,
      });
      return { status: 200, body };
    },
  });
}

function oneRoutes(deps: TenantRoutesDeps): Route<Permit, Demand>[] {
  const one = { path: `${PATH}/{id}`, tag: TAG, demand: operator, params: tenantParams } as const;
  const answers = { 200: oneAnswer(tenantAnswer) };
  return [
    route({
      ...one,
      method: 'GET',
      summary: 'Show a tenant',
      answers,
      handle: ({ params }) => shown(deps, showTenant(deps, params), 200),
    }),
    route({
      ...one,
      method: 'PATCH',
      summary: 'Rename, suspend or reactivate a tenant, or change its limits',
      body: tenantPatch,
      answers,
      handle: async (call) => {
        const versions = versionsMatching(call.header('if-match'), deps.branch());
        const request = { id: call.params.id, versions, change: call.body };
        return shown(deps, await updateTenant(deps, call.permit, request), 200);
      },
    }),
  ];
}

function shown(deps: TenantRoutesDeps, { view, version }: ShownTenant, status: number): Answer {
  return { status, body: { data: view }, headers: { ETag: etagOf(deps.branch(), version) } };
}
