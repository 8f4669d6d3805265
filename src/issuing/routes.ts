import { z } from 'zod';
import type { Demand, Permit } from '../access/index.ts';
import { Fault } from '../faults.ts';
import { decodeSequence, listAnswer, oneAnswer, PAGE_QUERY, pageOf } from '../http/list.ts';
import { type Answer, type Call, type Route, routeOf } from '../http/route.ts';
import { idParams, NEWEST_FIRST, signedRequestOf } from '../licensing/index.ts';
import type { IssuedCheckout } from './checkout-commit.ts';
import { listFiles } from './checkout-files.ts';
import {
  checkoutAnswer,
  type CheckoutInput,
  fileAnswer,
  licenseCheckoutInput,
  machineCheckoutInput,
} from './checkout-schema.ts';
import { type CheckoutDeps, checkoutLicense, checkoutMachine, type CheckoutOptions } from './checkout.ts';
import type { DocumentDeps } from './publish-documents.ts';
import { trustRoutes } from './trust/routes.ts';

/** What the routes of issuing need. */
export interface IssuingRoutesDeps extends CheckoutDeps, Omit<DocumentDeps, 'work'> {}

const route = routeOf<Permit, Demand>();
const checkout: Demand = { scope: 'licenses:checkout', also: ['license'] };
const common = {
  method: 'POST',
  tag: 'checkout',
  demand: checkout,
  params: idParams,
  answers: { 200: oneAnswer(checkoutAnswer) },
  idempotent: 'answer',
} as const;

/** Checkout of files, what is outstanding, and the public keys that verify them. */
export function issuingRoutes(deps: IssuingRoutesDeps): Route<Permit, Demand>[] {
  return [licenseCheckoutRoute(deps), machineCheckoutRoute(deps), filesRoute(deps), ...trustRoutes(deps)];
}

function licenseCheckoutRoute(deps: CheckoutDeps): Route<Permit, Demand> {
  return route({
    ...common,
    path: '/api/v1/licenses/{id}/checkout',
    summary: 'Issue a licence file, or with a fingerprint a machine file',
    body: licenseCheckoutInput,
    present: presented,
    handle: async (call) => {
      const { fingerprint = null, components, userEmail, ...options } = call.body;
      const asked = { ...optionsOf(call, options), licenseId: call.params.id };
      const machine = { fingerprint, components, userEmail };
      return presented(await checkoutLicense(deps, call.permit, { ...asked, ...machine }));
    },
  });
}

function machineCheckoutRoute(deps: CheckoutDeps): Route<Permit, Demand> {
  return route({
    ...common,
    path: '/api/v1/machines/{id}/checkout',
    summary: 'Issue a machine file',
    body: machineCheckoutInput,
    present: presented,
    handle: async (call) => {
      const asked = { ...optionsOf(call, call.body), machineId: call.params.id };
      return presented(await checkoutMachine(deps, call.permit, asked));
    },
  });
}

function optionsOf(call: Call<Permit>, input: CheckoutInput): CheckoutOptions {
  refuseToken(input);
  return {
    ttlSeconds: input.ttlSeconds,
    encrypt: input.encrypt ?? true,
    signed: signedRequestOf(call, 'POST'),
    raw: wantsBytes(call.header('accept')),
  };
}

function refuseToken({ format }: CheckoutInput): void {
  if (format !== 'jwt') return;
  const message = 'this version issues files only; leave format out, or say "file"';
  throw new Fault('NOT_YET_SUPPORTED', message, {
    errors: [{ path: 'format', code: 'NOT_YET_SUPPORTED', message }],
  });
}

function wantsBytes(accept: string | undefined): boolean {
  return accept?.split(',').some((part) => part.split(';')[0]?.trim() === BYTES) ?? false;
}

const BYTES = 'application/octet-stream';

/** The file as JSON, or as bytes to be stored under the name of its machine or licence. */
function presented({ raw, ...issued }: IssuedCheckout): Answer {
  if (!raw) return { status: 200, body: { data: issued } };
  const bytes = Buffer.from(issued.certificate, 'ascii');
  const filename = `${issued.machineId ?? issued.licenseId}.lic`;
  return { status: 200, raw: { bytes, contentType: BYTES, filename } };
}

function filesRoute(deps: CheckoutDeps): Route<Permit, Demand> {
  return route({
    method: 'GET',
    path: '/api/v1/licenses/{id}/files',
    summary: 'List the files issued for a licence and its machines, newest first',
    tag: 'checkout',
    demand: { scope: 'licenses:read', also: [] },
    params: idParams,
    query: z.strictObject(PAGE_QUERY),
    answers: { 200: listAnswer(fileAnswer) },
    handle: ({ permit, params, query }) => {
      const before = decodeSequence(query.cursor, NEWEST_FIRST) ?? Number.MAX_SAFE_INTEGER;
      const rows = listFiles(deps, permit, { licenseId: params.id, before, limit: query.limit + 1 });
      const body = pageOf(rows, query.limit, {
        sort: NEWEST_FIRST,
        keyOf: ({ seq }) => seq,
        show: ({ view }) => view,
      });
      return { status: 200, body };
    },
  });
}
