import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { Demand, Permit } from '../../access/index.ts';
import { type Answer, type Call, type Route, routeOf } from '../../http/route.ts';
import {
  type DocumentDeps,
  keySetOf,
  type KeySetAsked,
  type PublicDocument,
  trustBundleOf,
} from '../publish-documents.ts';
import { anybody, byCode, environment, isKnown } from './public-route.ts';

const route = routeOf<Permit, Demand>();
const nothing = z.strictObject({});
/** Keys change a few times a year, and a changed one is published long before it signs. */
const CACHED = 'public, max-age=300';
const TAG_CHARACTERS = 22;

const asText = { 200: z.string().meta({ description: 'The document itself' }), 304: null } as const;
const common = {
  method: 'GET',
  tag: 'trust',
  demand: anybody,
  limit: { class: 'public' },
  answers: asText,
} as const;

/** Trust bundle and key sets of a tenant by its code, and of the only tenant without one. */
export function trustRoutes(deps: DocumentDeps): Route<Permit, Demand>[] {
  return [
    ...bundleRoutes(deps),
    ...keySetRoutes(deps, { kind: 'token', file: 'jwks.json', of: 'tokens' }),
    ...keySetRoutes(deps, { kind: 'license', file: 'license-jwks.json', of: 'licence tokens' }),
  ];
}

function bundleRoutes(deps: DocumentDeps): Route<Permit, Demand>[] {
  return [
    route({
      ...common,
      query: nothing,
      path: '/api/v1/tenants/{code}/trust-bundle',
      summary: 'The trust bundle of a tenant: a JWS signed by its root',
      params: byCode,
      handle: (call) => answer(call, trustBundleOf(deps, call.params.code)),
    }),
    route({
      ...common,
      query: nothing,
      path: '/api/v1/trust-bundle',
      summary: 'The trust bundle of the only tenant',
      handle: (call) => answer(call, trustBundleOf(deps, null)),
    }),
  ];
}

interface KeySetRoute {
  readonly kind: KeySetAsked['kind'];
  readonly file: string;
  readonly of: string;
}

function keySetRoutes(deps: DocumentDeps, { kind, file, of }: KeySetRoute): Route<Permit, Demand>[] {
  // RFC 8615 puts well-known documents at the root; beside it, where every other route is.
  const alone = [`/.well-known/${file}`, `/api/v1/.well-known/${file}`];
  return [
    route({
      ...common,
      query: environment,
      path: `/api/v1/tenants/{code}/${file}`,
      summary: `The keys that verify ${of} of a tenant`,
      params: byCode,
      handle: (call) => answer(call, keySetOf(deps, call.params.code, { kind, environment: call.query.env })),
    }),
    ...alone.map((path) =>
      route({
        ...common,
        query: environment,
        path,
        summary: `The keys that verify ${of} of the only tenant`,
        handle: (call) => answer(call, keySetOf(deps, null, { kind, environment: call.query.env })),
      }),
    ),
  ];
}

/** Everything in these documents is public, so that a digest of the content may be the tag. */
function answer(call: Pick<Call<Permit>, 'header'>, { text, contentType }: PublicDocument): Answer {
  const digest = createHash('sha256').update(text).digest('base64url').slice(0, TAG_CHARACTERS);
  const headers = { etag: `"${digest}"`, 'cache-control': CACHED };
  if (isKnown(call, headers.etag)) return { status: 304, headers };
  return { status: 200, raw: { bytes: Buffer.from(text), contentType }, headers };
}
