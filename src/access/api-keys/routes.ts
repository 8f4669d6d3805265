import { z } from 'zod';
import { etagOf, versionsMatching } from '../../http/etag.ts';
import { decodeSequence, listAnswer, oneAnswer, PAGE_QUERY, pageOf } from '../../http/list.ts';
import { type Answer, type Route, routeOf } from '../../http/route.ts';
import type { EpochMs } from '../../lib/clock.ts';
import type { Demand, Permit } from '../permit.ts';
import type { ApiKeyView } from './api-key.ts';
import {
  apiKeyAnswer,
  apiKeyInput,
  apiKeyParams,
  apiKeyPatch,
  rotateInput,
  shownApiKeyAnswer,
} from './api-key-schema.ts';
import { type ApiKeyDeps, createApiKey, type ShownApiKey } from './create-api-key.ts';
import { revokeApiKey } from './revoke-api-key.ts';
import { DEFAULT_OVERLAP_HOURS, rotateApiKey } from './rotate-api-key.ts';
import { updateApiKey } from './update-api-key.ts';
import { listApiKeys, showApiKey, type ShowApiKeyDeps } from './show-api-key.ts';

/** What the routes of keys need. */
export interface ApiKeyRoutesDeps extends Omit<ApiKeyDeps, 'work'>, ShowApiKeyDeps {
  readonly work: ApiKeyDeps['work'];
  /** The appliance's branch, for entity tags. */
  readonly branch: () => string;
}

const route = routeOf<Permit, Demand>();
const PATH = '/api/v1/api-keys';
const TAG = 'api-keys';
const NEWEST_FIRST = 'newest';
const read: Demand = { scope: 'api-keys:read', also: [] };
const write: Demand = { scope: 'api-keys:write', also: [] };

/** `/api/v1/api-keys`: create, list, show, rotate, revoke. */
export function apiKeyRoutes(deps: ApiKeyRoutesDeps): Route<Permit, Demand>[] {
  return [
    createRoute(deps),
    listRoute(deps),
    showRoute(deps),
    updateRoute(deps),
    rotateRoute(deps),
    revokeRoute(deps),
  ];
}

function timeOf(text: string | null | undefined): EpochMs | null | undefined {
  return typeof text === 'string' ? Date.parse(text) : text;
}

function createRoute(deps: ApiKeyRoutesDeps): Route<Permit, Demand> {
  const present = (shown: ShownApiKey): Answer => whole(shown, 201);
  return route({
    method: 'POST',
    path: PATH,
    summary: 'Create an API key; it is shown once',
    tag: TAG,
    demand: write,
    body: apiKeyInput,
    answers: { 201: oneAnswer(shownApiKeyAnswer), 200: oneAnswer(shownApiKeyAnswer) },
    idempotent: 'without-secret',
    present,
    handle: async ({ permit, body }) => {
      const { expiresAt, allowedCidrs, tier, issueLimitPerDay, issueLimitTotal, allowedProducts, ...named } =
        body;
      const limits = { tier, issueLimitPerDay, issueLimitTotal };
      const wanted = { ...named, ...limits, expiresAt: timeOf(expiresAt), allowedCidrs, allowedProducts };
      return present(await createApiKey(deps, permit, wanted));
    },
  });
}

function listRoute(deps: ApiKeyRoutesDeps): Route<Permit, Demand> {
  return route({
    method: 'GET',
    path: PATH,
    summary: 'List API keys, newest first',
    tag: TAG,
    demand: read,
    query: z.strictObject(PAGE_QUERY),
    answers: { 200: listAnswer(apiKeyAnswer) },
    handle: ({ permit, query }) => {
      const before = decodeSequence(query.cursor, NEWEST_FIRST) ?? Number.MAX_SAFE_INTEGER;
      const rows = listApiKeys(deps, permit, { before, limit: query.limit + 1 });
      const shape = {
        sort: NEWEST_FIRST,
        keyOf: ({ seq }: { seq: number }) => seq,
        show: ({ view }: { view: ApiKeyView }) => view,
      };
      return { status: 200, body: pageOf(rows, query.limit, shape) };
    },
  });
}

function showRoute(deps: ApiKeyRoutesDeps): Route<Permit, Demand> {
  return route({
    method: 'GET',
    path: `${PATH}/{id}`,
    summary: 'Show an API key, without its secret',
    tag: TAG,
    demand: read,
    params: apiKeyParams,
    answers: { 200: oneAnswer(apiKeyAnswer) },
    handle: ({ permit, params }) => {
      const { view, version } = showApiKey(deps, permit, params);
      return { status: 200, body: { data: view }, headers: { ETag: etagOf(deps.branch(), version) } };
    },
  });
}

function updateRoute(deps: ApiKeyRoutesDeps): Route<Permit, Demand> {
  return route({
    method: 'PATCH',
    path: `${PATH}/{id}`,
    summary: 'Change what an API key may do; nobody gives what he does not have',
    tag: TAG,
    demand: write,
    params: apiKeyParams,
    body: apiKeyPatch,
    answers: { 200: oneAnswer(apiKeyAnswer) },
    handle: async (call) => {
      const { expiresAt, ...change } = call.body;
      const versions = versionsMatching(call.header('if-match'), deps.branch());
      const request = { id: call.params.id, versions, change: { ...change, expiresAt: timeOf(expiresAt) } };
      const { view, version } = await updateApiKey(deps, call.permit, request);
      return { status: 200, body: { data: view }, headers: { ETag: etagOf(deps.branch(), version) } };
    },
  });
}

function rotateRoute(deps: ApiKeyRoutesDeps): Route<Permit, Demand> {
  const present = (shown: ShownApiKey): Answer => whole(shown, 200);
  return route({
    method: 'POST',
    path: `${PATH}/{id}/rotate`,
    summary: 'Give an API key a new secret, shown once; the old one goes on for the overlap',
    tag: TAG,
    demand: write,
    params: apiKeyParams,
    body: rotateInput,
    answers: { 200: oneAnswer(shownApiKeyAnswer) },
    idempotent: 'without-secret',
    present,
    handle: async ({ permit, params, body }) => {
      const { overlapHours = DEFAULT_OVERLAP_HOURS, exposed } = body;
      return present(await rotateApiKey(deps, permit, { id: params.id, overlapHours, exposed }));
    },
  });
}

function revokeRoute(deps: ApiKeyRoutesDeps): Route<Permit, Demand> {
  const present = (view: ApiKeyView): Answer => ({ status: 200, body: { data: view } });
  return route({
    method: 'POST',
    path: `${PATH}/{id}/revoke`,
    summary: 'End an API key at once',
    tag: TAG,
    demand: write,
    params: apiKeyParams,
    answers: { 200: oneAnswer(apiKeyAnswer) },
    idempotent: 'answer',
    present,
    handle: async ({ permit, params }) => present(await revokeApiKey(deps, permit, params)),
  });
}

/** The one answer that has the text of a key in it. */
function whole({ view, text }: ShownApiKey, status: number): Answer {
  return { status, body: { data: { ...view, key: text.expose() } }, secrets: ['key'] };
}
