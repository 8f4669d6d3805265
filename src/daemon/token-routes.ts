import { z } from 'zod';
import type { Demand, Permit } from '../access/index.ts';
import { type Route, routeOf } from '../http/route.ts';
import { holdCeremony } from './ceremony.ts';
import type { Parts } from './parts.ts';
import { checkCopies, replaceToken } from './token-copies.ts';

const route = routeOf<Permit, Demand>();
const common = { tag: 'operator', demand: { scope: null, also: [], operatorOnly: true } } as const;

const copySeen = z.strictObject({
  kid: z.string(),
  purpose: z.string(),
  copy: z.string().nullable(),
  problem: z.string().nullable(),
});
const answers = { 200: z.strictObject({ data: z.array(copySeen) }) };

/** `/api/v1/system/hsm/…`: the tokens that hold signing keys. */
export function tokenRoutes(parts: Parts): Route<Permit, Demand>[] {
  return [
    route({
      ...common,
      method: 'POST',
      path: '/api/v1/system/hsm/copies',
      summary: 'Have the copy of every key in a token sign on the second token',
      body: z.strictObject({ withoutCopy: z.string().max(1000).nullable().default(null) }),
      answers,
      handle: async ({ permit, body }) => ({
        status: 200,
        body: { data: await checkCopies(parts, permit, body.withoutCopy) },
      }),
    }),
    route({
      ...common,
      method: 'POST',
      path: '/api/v1/system/hsm/ceremonies',
      summary: 'Make the keys of a new tenant in the token, as a reviewed file says',
      body: z.strictObject({ file: z.string().min(1).max(65_536), dryRun: z.boolean().default(false) }),
      answers: { 200: z.strictObject({ data: z.looseObject({ state: z.string(), digest: z.string() }) }) },
      handle: async ({ permit, body }) => ({
        status: 200,
        body: { data: { ...(await holdCeremony(parts, permit, body)) } },
      }),
    }),
    route({
      ...common,
      method: 'POST',
      path: '/api/v1/system/hsm/replace',
      summary: 'Sign with the copies on the second token from now on',
      answers,
      handle: async ({ permit }) => ({ status: 200, body: { data: await replaceToken(parts, permit) } }),
    }),
  ];
}
