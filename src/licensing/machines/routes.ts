import { z } from 'zod';
import type { Demand, Permit } from '../../access/index.ts';
import { Fault } from '../../faults.ts';
import { etagOf, versionsMatching } from '../../http/etag.ts';
import { decodeSequence, listAnswer, oneAnswer, PAGE_QUERY, pageOf } from '../../http/list.ts';
import { type Answer, type Call, type Route, routeOf } from '../../http/route.ts';
import { idParams, NEWEST_FIRST, type Shown } from '../schema.ts';
import { activateMachine, type ActivateDeps, type Activated } from './activate.ts';
import { deactivateMachine, type DeactivateDeps } from './deactivate.ts';
import { type FindByKeyDeps, licenseByKey } from './find-by-key.ts';
import { type HeartbeatDeps, takeHeartbeat } from './heartbeat.ts';
import {
  challengeAnswer,
  freesAtAnswer,
  heartbeatAnswer,
  heartbeatInput,
  machineAnswer,
  machineFilters,
  machineInput,
  machineInputByKey,
  machinePatch,
  rekeyInput,
} from './machine-schema.ts';
import type { MachineView } from './machine-view.ts';
import { holderOf, type SignedRequest } from './own-machine.ts';
import { rekeyMachine } from './rekey.ts';
import { issueChallenge, listMachines, showMachine } from './show.ts';
import { updateMachine } from './update.ts';

/** What the routes of machines need. */
export interface MachineRoutesDeps extends Omit<ActivateDeps, 'work' | 'admit' | 'machineUsage'> {
  readonly work: DeactivateDeps['work'];
  readonly machineUsage: HeartbeatDeps['machineUsage'];
  readonly challenges: DeactivateDeps['challenges'];
  /** @throws the fault of a state of the appliance in which that is not done */
  readonly admit: (activity: 'create' | 'heartbeat') => void;
  readonly licenseKeys: FindByKeyDeps['licenseKeys'];
  readonly unknownKey: FindByKeyDeps['unknownKey'];
  /** The appliance's branch, for entity tags. */
  readonly branch: () => string;
}

const route = routeOf<Permit, Demand>();
const PATH = '/api/v1/machines';
const read: Demand = { scope: 'machines:read', also: ['license'] };
const write: Demand = { scope: 'machines:write', also: ['license'] };

/** Activation, and `/api/v1/machines`. */
export function machineRoutes(deps: MachineRoutesDeps): Route<Permit, Demand>[] {
  return [...activationRoutes(deps), listRoute(deps), ...oneRoutes(deps), ...machineActs(deps)];
}

/** Headers under which a machine signs its request: nonce and signature, both base64url. */
export const MACHINE_PROOFS = ['mintmark-machine-nonce', 'mintmark-machine-signature'] as const;

/** What a machine signed of its request; null: it did not. */
export function signedRequestOf(
  call: Pick<Call<Permit>, 'header' | 'path' | 'bodyDigest'>,
  method: string,
): SignedRequest | null {
  const [nonce, signature] = MACHINE_PROOFS.map((name) => call.header(name));
  if (nonce === undefined || signature === undefined) return null;
  return { method, path: call.path, bodyDigest: call.bodyDigest(), nonce, signature };
}

function activationRoutes(deps: MachineRoutesDeps): Route<Permit, Demand>[] {
  const present = ({ machine, version, created }: Activated): Answer =>
    created
      ? shown(deps, { view: machine, version }, 201)
      : { ...shown(deps, { view: machine, version }, 200), unchanged: true };
  const common = {
    method: 'POST',
    tag: 'machines',
    answers: { 200: oneAnswer(machineAnswer), 201: oneAnswer(machineAnswer) },
    idempotent: 'answer',
    present,
  } as const;
  return [
    route({
      ...common,
      path: '/api/v1/licenses/{id}/machines',
      summary: 'Activate a machine under a licence',
      demand: { scope: 'machines:write', also: [] },
      limit: { class: 'activate', license: 'params.id', machine: 'body.fingerprint' },
      params: idParams,
      body: machineInput,
      handle: async ({ permit, params, body }) =>
        present(await activateMachine(deps, permit, { licenseId: params.id, input: body })),
    }),
    route({
      ...common,
      path: PATH,
      summary: 'Activate this machine with the licence key',
      demand: { scope: 'machines:write', also: ['license', 'publishable-key'] },
      limit: { class: 'activate', license: 'body.key', machine: 'body.fingerprint' },
      body: machineInputByKey,
      handle: async ({ permit, body, address }) => {
        const { key, ...input } = body;
        const licenseId =
          holderOf(permit) ?? (await licenseByKey(deps, permit, { key: required(key), address }));
        return present(await activateMachine(deps, permit, { licenseId, input }));
      },
    }),
  ];
}

function required(key: string | undefined): string {
  if (key !== undefined) return key;
  const message = 'key is required unless the licence key is the credential of the request';
  throw new Fault('VALIDATION_FAILED', message, { errors: [{ path: 'key', code: 'REQUIRED', message }] });
}

function listRoute(deps: MachineRoutesDeps): Route<Permit, Demand> {
  return route({
    method: 'GET',
    path: PATH,
    summary: 'List machines, newest first',
    tag: 'machines',
    demand: read,
    query: z.strictObject({ ...PAGE_QUERY, ...machineFilters }),
    answers: { 200: listAnswer(machineAnswer) },
    handle: ({ permit, query }) => {
      const { licenseId, fingerprint, limit } = query;
      const before = decodeSequence(query.cursor, NEWEST_FIRST) ?? Number.MAX_SAFE_INTEGER;
      const rows = listMachines(deps, permit, { licenseId, fingerprint, before, limit: limit + 1 });
      const body = pageOf(rows, limit, {
        sort: NEWEST_FIRST,
        keyOf: ({ seq }) => seq,
        show: ({ view }) => view,
      });
      return { status: 200, body };
    },
  });
}

const one = {
  path: `${PATH}/{id}`,
  tag: 'machines',
  params: idParams,
  limit: { class: 'management', machine: 'params.id' },
} as const;
const answers = { 200: oneAnswer(machineAnswer) };

function oneRoutes(deps: MachineRoutesDeps): Route<Permit, Demand>[] {
  return [
    route({
      ...one,
      method: 'GET',
      summary: 'Show a machine',
      demand: read,
      answers,
      handle: ({ permit, params }) => shown(deps, showMachine(deps, permit, params.id), 200),
    }),
    route({
      ...one,
      method: 'PATCH',
      summary: 'Change what is said of a machine',
      demand: write,
      body: machinePatch,
      answers,
      handle: async (call) => {
        const signed = signedRequestOf(call, 'PATCH');
        const request = { id: call.params.id, versions: versionsOf(deps, call), change: call.body, signed };
        return shown(deps, await updateMachine(deps, call.permit, request), 200);
      },
    }),
    route({
      ...one,
      method: 'DELETE',
      summary: 'Deactivate a machine; says when its seat is free',
      demand: write,
      answers: { 200: oneAnswer(freesAtAnswer) },
      handle: async (call) => {
        const signed = signedRequestOf(call, 'DELETE');
        const request = { id: call.params.id, versions: versionsOf(deps, call), signed };
        return { status: 200, body: { data: await deactivateMachine(deps, call.permit, request) } };
      },
    }),
  ];
}

function machineActs(deps: MachineRoutesDeps): Route<Permit, Demand>[] {
  return [
    route({
      ...one,
      method: 'POST',
      path: `${PATH}/{id}/heartbeat`,
      summary: 'Send a heartbeat',
      demand: write,
      limit: { class: 'heartbeat', machine: 'params.id' },
      body: heartbeatInput,
      answers: { 200: oneAnswer(heartbeatAnswer) },
      handle: async ({ permit, params, body }) => {
        const request = { id: params.id, ...body };
        const { view, version, heartbeatDueAt } = await takeHeartbeat(deps, permit, request);
        const headers = { etag: etagOf(deps.branch(), version) };
        return { status: 200, body: { data: { ...view, heartbeatDueAt } }, headers };
      },
    }),
    route({
      ...one,
      method: 'GET',
      path: `${PATH}/{id}/challenge`,
      summary: 'Get a nonce for the machine to sign its next request over',
      demand: read,
      answers: { 200: oneAnswer(challengeAnswer) },
      handle: ({ permit, params }) => ({
        status: 200,
        body: { data: issueChallenge(deps, permit, params.id) },
      }),
    }),
    rekeyRoute(deps),
  ];
}

function rekeyRoute(deps: MachineRoutesDeps): Route<Permit, Demand> {
  const present = (result: Shown<MachineView>): Answer => shown(deps, result, 200);
  return route({
    ...one,
    method: 'POST',
    path: `${PATH}/{id}/rekey`,
    summary: 'Give a machine another key, or none',
    demand: write,
    body: rekeyInput,
    answers,
    idempotent: 'answer',
    proofs: MACHINE_PROOFS,
    present,
    handle: async (call) => {
      const { publicKey, proof = null } = call.body;
      const signed = signedRequestOf(call, 'POST');
      const request = { id: call.params.id, versions: versionsOf(deps, call), publicKey, proof, signed };
      return present(await rekeyMachine(deps, call.permit, request));
    },
  });
}

function versionsOf(deps: MachineRoutesDeps, call: Pick<Call<Permit>, 'header'>): readonly number[] | null {
  return versionsMatching(call.header('if-match'), deps.branch());
}

function shown(deps: MachineRoutesDeps, { view, version }: Shown<MachineView>, status: number): Answer {
  return { status, body: { data: view }, headers: { etag: etagOf(deps.branch(), version) } };
}
