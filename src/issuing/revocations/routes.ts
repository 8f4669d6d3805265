import { z } from 'zod';
import type { Demand, Permit } from '../../access/index.ts';
import { type Answer, type Call, type Route, routeOf } from '../../http/route.ts';
import type { Environment } from '../file-meta.ts';
import { anybody, byCode, environment, isKnown } from '../trust/public-route.ts';
import { type ListDocumentDeps, revocationListOf } from './publish-list-document.ts';

const route = routeOf<Permit, Demand>();
/** Short: what is revoked is to be known. Asking again costs a comparison of numbers. */
const CACHED = 'public, max-age=30';

const common = {
  method: 'GET',
  tag: 'trust',
  demand: anybody,
  limit: { class: 'public' },
  query: environment,
  answers: { 200: z.string().meta({ description: 'The list: a JWS' }), 304: null },
} as const;

/** The revocation list of a tenant by its code, and of the only tenant without one. */
export function revocationRoutes(deps: ListDocumentDeps): Route<Permit, Demand>[] {
  return [
    route({
      ...common,
      path: '/api/v1/tenants/{code}/revocations',
      summary: 'The revocation list of a tenant: a JWS signed by its revocation key',
      params: byCode,
      handle: (call) => answer(deps, call, { code: call.params.code, env: call.query.env }),
    }),
    route({
      ...common,
      path: '/api/v1/revocations',
      summary: 'The revocation list of the only tenant',
      handle: (call) => answer(deps, call, { code: null, env: call.query.env }),
    }),
  ];
}

async function answer(
  deps: ListDocumentDeps,
  call: Pick<Call<Permit>, 'header'>,
  asked: { readonly code: string | null; readonly env: Environment },
): Promise<Answer> {
  const { number, read } = await revocationListOf(deps, asked);
  if (isKnown(call, tagOf(number))) return { status: 304, headers: headersOf(number) };
  const list = read();
  return {
    status: 200,
    raw: { bytes: list.bytes, contentType: 'application/jose' },
    headers: headersOf(list.number),
  };
}

/** No two lists share a number. */
const tagOf = (number: number): string => `"crl-${String(number)}"`;

const headersOf = (number: number): { readonly etag: string; readonly 'cache-control': string } => {
  return { etag: tagOf(number), 'cache-control': CACHED };
};
