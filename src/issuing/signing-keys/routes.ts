import { z } from 'zod';
import type { Demand, Permit } from '../../access/index.ts';
import { etagOf, versionsMatching } from '../../http/etag.ts';
import { decodeSequence, encodeCursor, listAnswer, oneAnswer, PAGE_QUERY } from '../../http/list.ts';
import { type Answer, type Call, type Route, routeOf } from '../../http/route.ts';
import { activateKey } from './activate-key.ts';
import type { ChangedKey, RotatedKey } from './changed-keys.ts';
import { type CompromisedKey, compromiseKey } from './compromise-key.ts';
import { generateKey } from './generate-key.ts';
import { listAffected, type ListAffectedDeps } from './list-affected.ts';
import type { NamedKey } from './key-plans.ts';
import {
  activateInput,
  affectedAnswer,
  changedAnswer,
  compromisedAnswer,
  compromiseInput,
  keyAnswer,
  keyInput,
  keyParams,
  proofAnswer,
  rotatedAnswer,
  rotateInput,
} from './key-schema.ts';
import { keyView, type KeyViewDeps, timeOrNull } from './key-view.ts';
import { retireKey, type RetireKeyDeps } from './retire-key.ts';
import { rotateKey, type RotateKeyDeps } from './rotate-key.ts';
import { verifyKeys } from './verify-keys.ts';

/** What the routes of signing keys need. */
export interface SigningKeyRoutesDeps extends RotateKeyDeps, RetireKeyDeps, ListAffectedDeps, KeyViewDeps {
  /** The appliance's branch, for entity tags. */
  readonly branch: () => string;
}

const route = routeOf<Permit, Demand>();
const PATH = '/api/v1/system/signing-keys';
const ONE = `${PATH}/{kid}`;
const AFFECTED = 'affected';
const look: Demand = { scope: 'signing-keys:read', also: [], operatorOnly: true };
const change: Demand = { scope: 'signing-keys:rotate', also: [], operatorOnly: true };
const tag = 'operator';

/** `/api/v1/system/signing-keys`: the life of signing keys, for whoever may open the operator socket. */
export function signingKeyRoutes(deps: SigningKeyRoutesDeps): Route<Permit, Demand>[] {
  return [
    ...readRoutes(deps),
    generateRoute(deps),
    rotateRoute(deps),
    ...stateRoutes(deps),
    compromiseRoute(deps),
  ];
}

function readRoutes(deps: SigningKeyRoutesDeps): Route<Permit, Demand>[] {
  return [
    route({
      method: 'GET',
      path: PATH,
      summary: 'Signing keys with their public halves',
      tag,
      demand: look,
      answers: { 200: oneAnswer(keyAnswer.array()) },
      handle: () => ({ status: 200, body: { data: deps.keyring.list().map((key) => keyView(deps, key)) } }),
    }),
    verifyRoute(deps),
    route({
      method: 'GET',
      path: `${ONE}/affected`,
      summary:
        'Licences that have files of a key: whom its compromise concerns. A part can be empty and not the last',
      tag,
      demand: look,
      params: keyParams,
      query: z.strictObject({ cursor: PAGE_QUERY.cursor }),
      answers: { 200: listAnswer(affectedAnswer) },
      handle: ({ params, query }) => {
        const after = decodeSequence(query.cursor, AFFECTED) ?? -1;
        const { rows, next } = listAffected(deps, { kid: params.kid, after });
        const nextCursor = next === null ? null : encodeCursor({ sort: AFFECTED, key: next });
        return { status: 200, body: { data: rows, pagination: { nextCursor, hasMore: next !== null } } };
      },
    }),
  ];
}

function verifyRoute(deps: SigningKeyRoutesDeps): Route<Permit, Demand> {
  return route({
    method: 'POST',
    path: `${PATH}/verify`,
    summary: 'Have every key prove that its private half fits its public half, by a fresh signature',
    tag,
    demand: look,
    answers: { 200: oneAnswer(proofAnswer.array()) },
    handle: async () => {
      const proofs = await verifyKeys(deps);
      const data = proofs.map(({ key, outcome, reason }) => {
        const { kid, purpose, tenant, environment, state, custodian } = keyView(deps, key);
        return { kid, purpose, tenant, environment, state, custodian, outcome, reason };
      });
      return { status: 200, body: { data } };
    },
  });
}

function generateRoute(deps: SigningKeyRoutesDeps): Route<Permit, Demand> {
  const present = (done: ChangedKey): Answer => changed(deps, done, 201);
  return route({
    method: 'POST',
    path: PATH,
    summary: 'Make a signing key and publish it as pending; a root so made is the standby root',
    tag,
    demand: change,
    body: keyInput,
    answers: { 201: oneAnswer(changedAnswer) },
    idempotent: 'answer',
    present,
    handle: async ({ permit, body }) => present(await generateKey(deps, permit, body)),
  });
}

function rotateRoute(deps: SigningKeyRoutesDeps): Route<Permit, Demand> {
  const present = (done: RotatedKey): Answer => {
    const { key, bundleSeq, replaces } = done;
    const products = done.products.map(({ id, code, deletedAt }) => {
      return { id, code, deletedAt: timeOrNull(deletedAt) };
    });
    const data = { key: keyView(deps, key), bundleSeq, replaces, products };
    return { status: 200, body: { data }, headers: tagOf(deps, key) };
  };
  return route({
    method: 'POST',
    path: `${ONE}/rotate`,
    summary: 'Give an active key a successor, which signs after 90 days, or now with the consequence typed',
    tag,
    demand: change,
    params: keyParams,
    body: rotateInput,
    answers: { 200: oneAnswer(rotatedAnswer) },
    idempotent: 'answer',
    present,
    handle: async (call) =>
      present(await rotateKey(deps, call.permit, { ...named(deps, call), ...call.body })),
  });
}

function stateRoutes(deps: SigningKeyRoutesDeps): Route<Permit, Demand>[] {
  const present = (done: ChangedKey): Answer => changed(deps, done, 200);
  const one = {
    method: 'POST',
    tag,
    demand: change,
    params: keyParams,
    answers: { 200: oneAnswer(changedAnswer) },
    idempotent: 'answer',
    present,
  } as const;
  return [
    route({
      ...one,
      path: `${ONE}/activate`,
      summary: 'Have a pending key sign from now on; before its time only with the consequence typed',
      body: activateInput,
      handle: async (call) =>
        present(await activateKey(deps, call.permit, { ...named(deps, call), ...call.body })),
    }),
    route({
      ...one,
      path: `${ONE}/retire`,
      summary: 'End a key that signs no more, or take back one that is pending; what it signed stays valid',
      handle: async (call) => present(await retireKey(deps, call.permit, named(deps, call))),
    }),
  ];
}

function compromiseRoute(deps: SigningKeyRoutesDeps): Route<Permit, Demand> {
  const present = ({ key, bundleSeq, successor, productsMoved }: CompromisedKey): Answer => {
    const next = successor && keyView(deps, successor);
    const data = { key: keyView(deps, key), bundleSeq, successor: next, productsMoved };
    return { status: 200, body: { data }, headers: tagOf(deps, key) };
  };
  return route({
    method: 'POST',
    path: `${ONE}/compromise`,
    summary:
      'Declare a key compromised; its successor signs at once, and products that named it are moved to that one',
    tag,
    demand: change,
    params: keyParams,
    body: compromiseInput,
    answers: { 200: oneAnswer(compromisedAnswer) },
    idempotent: 'answer',
    present,
    handle: async (call) => {
      const request = { ...named(deps, call), since: Date.parse(call.body.since) };
      return present(await compromiseKey(deps, call.permit, request));
    },
  });
}

function named(
  { branch }: SigningKeyRoutesDeps,
  call: Pick<Call<Permit, z.infer<typeof keyParams>>, 'params' | 'header'>,
): NamedKey {
  return { kid: call.params.kid, versions: versionsMatching(call.header('if-match'), branch()) };
}

function changed(deps: SigningKeyRoutesDeps, { key, bundleSeq }: ChangedKey, status: number): Answer {
  return { status, body: { data: { key: keyView(deps, key), bundleSeq } }, headers: tagOf(deps, key) };
}

function tagOf({ branch }: SigningKeyRoutesDeps, { version }: ChangedKey['key']): Record<string, string> {
  return { etag: etagOf(branch(), version) };
}
