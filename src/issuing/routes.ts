import { z } from 'zod';
import type { Demand, Permit } from '../access/index.ts';
import { Fault } from '../faults.ts';
import { decodeSequence, listAnswer, oneAnswer, PAGE_QUERY, pageOf } from '../http/list.ts';
import { type Answer, type Call, type Route, routeOf } from '../http/route.ts';
import { idParams, MACHINE_PROOFS, NEWEST_FIRST, signedRequestOf } from '../licensing/index.ts';
import type { IssuedCheckout } from './checkout-commit.ts';
import { listFiles } from './checkout-files.ts';
import {
  checkoutAnswer,
  type CheckoutInput,
  fileAnswer,
  licenseCheckoutInput,
  machineCheckoutInput,
  signedKeyAnswer,
  signedKeyInput,
} from './checkout-schema.ts';
import {
  type CheckoutDeps,
  checkoutLicense,
  checkoutMachine,
  type CheckoutOptions,
  issueSignedKey,
} from './checkout.ts';
import type { DocumentDeps } from './publish-documents.ts';
import type { ListDocumentDeps } from './revocations/publish-list-document.ts';
import { revocationRoutes } from './revocations/routes.ts';
import { trustRoutes } from './trust/routes.ts';

/** What the routes of issuing need. */
export interface IssuingRoutesDeps
  extends CheckoutDeps, Omit<DocumentDeps, 'work'>, Omit<ListDocumentDeps, 'work'> {}

const route = routeOf<Permit, Demand>();
const checkout: Demand = { scope: 'licenses:checkout', also: ['license'] };
const common = {
  method: 'POST',
  tag: 'checkout',
  demand: checkout,
  params: idParams,
  answers: { 200: oneAnswer(checkoutAnswer) },
  idempotent: 'answer',
  proofs: MACHINE_PROOFS,
} as const;

/** Checkout of files, tokens and signed keys, what is outstanding, and the public keys that verify them. */
export function issuingRoutes(deps: IssuingRoutesDeps): Route<Permit, Demand>[] {
  return [
    licenseCheckoutRoute(deps),
    machineCheckoutRoute(deps),
    signedKeyRoute(deps),
    filesRoute(deps),
    ...trustRoutes(deps),
    ...revocationRoutes(deps),
  ];
}

function licenseCheckoutRoute(deps: CheckoutDeps): Route<Permit, Demand> {
  return route({
    ...common,
    path: '/api/v1/licenses/{id}/checkout',
    summary: 'Issue a licence file, or with a fingerprint a machine file; or the same as a token',
    limit: { class: 'management', machine: 'body.fingerprint' },
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
    summary: 'Issue a machine file, or the same as a token',
    limit: { class: 'management', machine: 'params.id' },
    body: machineCheckoutInput,
    present: presented,
    handle: async (call) => {
      const asked = { ...optionsOf(call, call.body), machineId: call.params.id };
      return presented(await checkoutMachine(deps, call.permit, asked));
    },
  });
}

function signedKeyRoute(deps: CheckoutDeps): Route<Permit, Demand> {
  return route({
    ...common,
    path: '/api/v1/licenses/{id}/signed-key',
    summary: 'Issue a signed licence key: one line, bound to no machine',
    demand: { scope: 'licenses:checkout', also: [] },
    body: signedKeyInput,
    answers: { 200: oneAnswer(signedKeyAnswer) },
    present: presentedKey,
    handle: async ({ permit, params, body }) => {
      const asked = { licenseId: params.id, ttlSeconds: body.ttlSeconds };
      return presentedKey(await issueSignedKey(deps, permit, asked));
    },
  });
}

function optionsOf(call: Call<Permit>, input: CheckoutInput): CheckoutOptions {
  const form = input.format ?? 'file';
  if (form === 'jwt') refuseEncryption(input);
  return {
    ttlSeconds: input.ttlSeconds,
    form,
    encrypt: form === 'file' && (input.encrypt ?? true),
    signed: signedRequestOf(call, 'POST'),
    raw: wantsBytes(call.header('accept')),
  };
}

/** Who asks for encryption gets it or a refusal. */
function refuseEncryption({ encrypt }: CheckoutInput): void {
  if (encrypt !== true) return;
  const message = 'a token is never encrypted; leave encrypt out, or ask for a file';
  throw new Fault('VALIDATION_FAILED', message, {
    errors: [{ path: 'encrypt', code: 'NOT_WITH_TOKEN', message }],
  });
}

function wantsBytes(accept: string | undefined): boolean {
  return accept?.split(',').some((part) => part.split(';')[0]?.trim() === BYTES) ?? false;
}

const BYTES = 'application/octet-stream';

/** The file as JSON, or as bytes to be stored under the name of its machine or licence. */
function presented({ raw, form, ...issued }: IssuedCheckout): Answer {
  if (!raw) return { status: 200, body: { data: issued } };
  const bytes = Buffer.from(issued.certificate, 'ascii');
  const filename = `${issued.machineId ?? issued.licenseId}.${form === 'jwt' ? 'jwt' : 'lic'}`;
  return { status: 200, raw: { bytes, contentType: BYTES, filename } };
}

function presentedKey(issued: IssuedCheckout): Answer {
  const { certificate: signedKey, algorithm, kid, issuedAt, expiresAt, fileId, licenseId, bound } = issued;
  return {
    status: 200,
    body: { data: { signedKey, algorithm, kid, issuedAt, expiresAt, fileId, licenseId, bound } },
  };
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
