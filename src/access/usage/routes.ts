import { z } from 'zod';
import { decodeSequence, encodeCursor, listAnswer, listName, PAGE_QUERY } from '../../http/list.ts';
import { type Answer, type Route, routeOf } from '../../http/route.ts';
import type { EpochMs } from '../../lib/clock.ts';
import type { Demand, Permit } from '../permit.ts';
import { type FoundUsage, readTotals, readUsage, type ReadUsageDeps, type UsagePart } from './read-usage.ts';

/** What the routes of the usage log need. */
export interface UsageRoutesDeps extends ReadUsageDeps {
  /** Trusted time. */
  readonly time: { now(): EpochMs };
}

const route = routeOf<Permit, Demand>();
const read: Demand = { scope: 'audit:read', also: [] };
const operator: Demand = { scope: null, also: [], operatorOnly: true };
const TAG = 'usage';
const NEWEST_FIRST = 'newest';
const ROUTE_MAX = 256;

const id = (prefix: string) => z.string().regex(new RegExp(`^${prefix}_[0-9A-HJKMNP-TV-Z]{26}$`));
const time = z.iso.datetime({ offset: true });

const filters = {
  route: z.string().min(1).max(ROUTE_MAX).optional().meta({
    description: 'Method and pattern, e.g. `GET /api/v1/licenses/{id}`.',
  }),
  status: z.coerce.number().int().min(100).max(599).optional(),
  since: time.optional().meta({ description: 'From this time on, ISO 8601 with zone.' }),
  until: time.optional().meta({ description: 'Before this time.' }),
};

const usageQuery = z
  .strictObject({
    ...PAGE_QUERY,
    ...filters,
    apiKeyId: id('key').optional().meta({ description: 'Only what this API key asked for.' }),
    licenseId: id('lic').optional().meta({ description: 'Only requests with this licence in the path.' }),
    machineId: id('mach').optional().meta({ description: 'Only requests with this machine in the path.' }),
  })
  .refine(({ licenseId, machineId }) => licenseId === undefined || machineId === undefined, {
    path: ['machineId'],
    message: 'cannot be asked for together with licenseId: a request is about one of them',
  });

const systemQuery = z.strictObject({ ...PAGE_QUERY, ...filters });

const useAnswer = z.strictObject({
  at: z.iso.datetime(),
  principal: z.string(),
  route: z.string(),
  status: z.int(),
  count: z.int(),
  address: z.string(),
});

const totalAnswer = z.strictObject({
  hour: z.iso.datetime(),
  principal: z.string(),
  route: z.string(),
  status: z.int(),
  count: z.int(),
});

/** Who asked for what: `/api/v1/usage` of a realm, `/api/v1/system/usage` of what belongs to none. */
export function usageRoutes(deps: UsageRoutesDeps): Route<Permit, Demand>[] {
  return [usageRoute(deps), systemRoute(deps), ...totalsRoutes(deps)];
}

function usageRoute(deps: UsageRoutesDeps): Route<Permit, Demand> {
  return route({
    method: 'GET',
    path: '/api/v1/usage',
    summary: 'List who asked for what, newest first',
    tag: TAG,
    demand: read,
    query: usageQuery,
    answers: { 200: listAnswer(useAnswer) },
    handle: ({ permit, query }) => {
      const { apiKeyId, licenseId, machineId, ...rest } = query;
      const principal = apiKeyId === undefined ? undefined : `api-key:${apiKeyId}`;
      const name = listName(NEWEST_FIRST, { ...filtersOf(rest), apiKeyId, licenseId, machineId });
      const asked = {
        part: 'realm',
        ...placeOf(rest, name),
        principal,
        subject: licenseId ?? machineId,
      } as const;
      return pageOf(readUsage(deps, permit, asked), name);
    },
  });
}

function systemRoute(deps: UsageRoutesDeps): Route<Permit, Demand> {
  return route({
    method: 'GET',
    path: '/api/v1/system/usage',
    summary: 'List what the local operator asked for that belongs to no tenant, newest first',
    tag: TAG,
    demand: operator,
    query: systemQuery,
    answers: { 200: listAnswer(useAnswer) },
    handle: ({ permit, query }) => {
      const name = listName(NEWEST_FIRST, { ...filtersOf(query) });
      return pageOf(readUsage(deps, permit, { part: 'system', ...placeOf(query, name) }), name);
    },
  });
}

function totalsRoutes(deps: UsageRoutesDeps): Route<Permit, Demand>[] {
  const common = {
    method: 'GET',
    tag: TAG,
    query: z.strictObject({
      until: time.optional().meta({ description: 'End of the day; now when left out.' }),
    }),
    answers: { 200: z.strictObject({ data: z.array(totalAnswer) }) },
  } as const;
  const answer = (permit: Permit, part: UsagePart, until: string | undefined): Answer => ({
    status: 200,
    body: {
      data: readTotals(deps, permit, {
        part,
        until: until === undefined ? deps.time.now() : Date.parse(until),
      }),
    },
  });
  return [
    route({
      ...common,
      path: '/api/v1/usage/totals',
      summary: 'Show by the hour what callers asked for beyond the rows of a day',
      demand: read,
      handle: ({ permit, query }) => answer(permit, 'realm', query.until),
    }),
    route({
      ...common,
      path: '/api/v1/system/usage/totals',
      summary: 'Show by the hour what was asked without a credential',
      demand: operator,
      handle: ({ permit, query }) => answer(permit, 'system', query.until),
    }),
  ];
}

interface Filters {
  readonly route?: string | undefined;
  readonly status?: number | undefined;
  readonly since?: string | undefined;
  readonly until?: string | undefined;
}

function filtersOf({ route: pattern, status, since, until }: Filters): Filters {
  return { route: pattern, status, since, until };
}

function placeOf(
  query: Filters & { readonly cursor?: string | undefined; readonly limit: number },
  name: string,
) {
  const { since, until, limit } = query;
  return {
    route: query.route,
    status: query.status,
    since: since === undefined ? undefined : Date.parse(since),
    until: until === undefined ? undefined : Date.parse(until),
    before: decodeSequence(query.cursor, name) ?? Number.MAX_SAFE_INTEGER,
    limit,
  };
}

function pageOf({ uses, next }: FoundUsage, name: string): Answer {
  const nextCursor = next === null ? null : encodeCursor({ sort: name, key: next });
  return { status: 200, body: { data: uses, pagination: { nextCursor, hasMore: next !== null } } };
}
