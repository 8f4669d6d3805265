import { z } from 'zod';
import type { Demand, Permit } from '../../access/index.ts';
import { etagOf, versionsMatching } from '../../http/etag.ts';
import { oneAnswer } from '../../http/list.ts';
import { type Answer, type Call, type Route, routeOf } from '../../http/route.ts';
import { licenseListRoute } from '../license-list/routes.ts';
import { idParams, idSchema, type Shown } from '../schema.ts';
import { createLicense, type CreateLicenseDeps } from './create.ts';
import { deleteLicense } from './delete.ts';
import { disentitleLicense, entitleLicense } from './entitle.ts';
import {
  entitleInput,
  licenseAnswer,
  licenseInput,
  licensePatch,
  lookupInput,
  optionalReason,
  renewInput,
  requiredReason,
  restoreInput,
  revealAnswer,
  transferInput,
} from './license-schema.ts';
import type { LicenseView } from './license-view.ts';
import { type LookupDeps, lookupLicense } from './lookup.ts';
import { renewLicense } from './renew.ts';
import { restoreLicense } from './restore.ts';
import { revealLicense } from './reveal.ts';
import { type ReadLicenseDeps, showLicense, showLicenseWithKey } from './show.ts';
import { transferLicense } from './transfer.ts';
import { changeStatus, type PlainAction } from './transition.ts';
import { updateLicense } from './update.ts';

/** What the routes of licences need. */
export interface LicenseRoutesDeps extends CreateLicenseDeps, LookupDeps {
  readonly work: CreateLicenseDeps['work'];
  readonly policies: ReadLicenseDeps['policies'];
  /** The appliance's branch, for entity tags. */
  readonly branch: () => string;
}

type LicenseRoute = Route<Permit, Demand>;

const route = routeOf<Permit, Demand>();
const PATH = '/api/v1/licenses';
const TAG = 'licenses';
const read: Demand = { scope: 'licenses:read', also: [] };
const write: Demand = { scope: 'licenses:write', also: [] };
const revoke: Demand = { scope: 'licenses:revoke', also: [] };
const reveal: Demand = { scope: 'licenses:reveal', also: [] };
const one = { path: `${PATH}/{id}`, tag: TAG, params: idParams } as const;
const oneLicense = { 200: oneAnswer(licenseAnswer) };

/** `/api/v1/licenses`: everything but validation, checkout, files and machines. */
export function licenseRoutes(deps: LicenseRoutesDeps): LicenseRoute[] {
  return [
    createRoute(deps),
    licenseListRoute(deps),
    lookupRoute(deps),
    ...oneRoutes(deps),
    revealRoute(deps),
    restoreRoute(deps),
    ...statusRoutes(deps),
    renewRoute(deps),
    transferRoute(deps),
    ...entitlementRoutes(deps),
  ];
}

function createRoute(deps: LicenseRoutesDeps): LicenseRoute {
  const present = (view: LicenseView): Answer => created(deps, { view, version: 1 });
  return route({
    method: 'POST',
    path: PATH,
    summary: 'Create a licence; the answer shows its key in full',
    tag: TAG,
    demand: write,
    body: licenseInput,
    answers: { 201: oneAnswer(licenseAnswer) },
    idempotent: 'reread',
    present,
    // What the caller may see now, not what he saw then: a key is never stored for replay.
    reread: ({ permit }, stored) => created(deps, showLicenseWithKey(deps, permit, idIn(stored))),
    handle: async ({ permit, body }) => present(await createLicense(deps, permit, body)),
  });
}

function created(deps: LicenseRoutesDeps, result: Shown<LicenseView>): Answer {
  return { ...shown(deps, result), status: 201, secrets: ['key'] };
}

const storedAnswer = z.object({ data: z.object({ id: z.string() }) });

function idIn(stored: unknown): string {
  return storedAnswer.parse(stored).data.id;
}

function lookupRoute(deps: LicenseRoutesDeps): LicenseRoute {
  return route({
    method: 'POST',
    path: `${PATH}/lookup`,
    summary: 'Find a licence by its key',
    tag: TAG,
    demand: read,
    body: lookupInput,
    answers: oneLicense,
    handle: ({ permit, body }) => shown(deps, lookupLicense(deps, permit, body.key)),
  });
}

function oneRoutes(deps: LicenseRoutesDeps): LicenseRoute[] {
  return [
    route({
      ...one,
      method: 'GET',
      summary: 'Show a licence, its key masked',
      demand: read,
      answers: oneLicense,
      handle: ({ permit, params }) => shown(deps, showLicense(deps, permit, params.id)),
    }),
    route({
      ...one,
      method: 'PATCH',
      summary: 'Change what describes a licence, and its own limits',
      demand: write,
      body: licensePatch,
      answers: oneLicense,
      handle: async (call) =>
        shown(deps, await updateLicense(deps, call.permit, { ...guarded(deps, call), change: call.body })),
    }),
    route({
      ...one,
      method: 'DELETE',
      summary: 'Delete a licence with its machines; its key stays reserved',
      demand: write,
      answers: { 204: null },
      handle: async (call) => {
        await deleteLicense(deps, call.permit, guarded(deps, call));
        return { status: 204 };
      },
    }),
  ];
}

function revealRoute(deps: LicenseRoutesDeps): LicenseRoute {
  return route({
    ...one,
    path: `${PATH}/{id}/reveal`,
    method: 'POST',
    summary: 'Show key, e-mail address and name in clear; the ledger says who looked',
    demand: reveal,
    answers: { 200: oneAnswer(revealAnswer) },
    handle: async ({ permit, params }) => {
      return { status: 200, body: { data: await revealLicense(deps, permit, params.id) } };
    },
  });
}

function restoreRoute(deps: LicenseRoutesDeps): LicenseRoute {
  const present = (result: Shown<LicenseView>): Answer => shown(deps, result);
  return route({
    ...one,
    path: `${PATH}/{id}/restore`,
    method: 'POST',
    summary: 'Bring back a licence that was deleted and is not purged yet, with its machines',
    demand: write,
    body: restoreInput,
    answers: oneLicense,
    idempotent: 'answer',
    present,
    handle: async (call) =>
      present(await restoreLicense(deps, call.permit, { ...guarded(deps, call), ...call.body })),
  });
}

function statusRoutes(deps: LicenseRoutesDeps): LicenseRoute[] {
  const action = (name: PlainAction, summary: string) => ({
    ...one,
    path: `${PATH}/{id}/${name}`,
    method: 'POST' as const,
    summary,
    answers: oneLicense,
    idempotent: 'answer' as const,
    present: (result: Shown<LicenseView>) => shown(deps, result),
    handle: async (call: Call<Permit, { id: string }, unknown, { reason?: string | undefined }>) => {
      const request = { ...guarded(deps, call), action: name, reason: call.body.reason };
      return shown(deps, await changeStatus(deps, call.permit, request));
    },
  });
  return [
    route({ ...action('suspend', 'Suspend a licence'), demand: write, body: optionalReason }),
    route({ ...action('reinstate', 'Reinstate a suspended licence'), demand: write, body: optionalReason }),
    route({ ...action('revoke', 'Revoke a licence for good'), demand: revoke, body: requiredReason }),
    route({ ...action('ban', 'Ban a licence for good'), demand: revoke, body: requiredReason }),
  ];
}

function renewRoute(deps: LicenseRoutesDeps): LicenseRoute {
  return route({
    ...one,
    path: `${PATH}/{id}/renew`,
    method: 'POST',
    summary: 'Renew a licence: to a time, by days, or by the duration of its policy',
    demand: write,
    body: renewInput,
    answers: oneLicense,
    idempotent: 'answer',
    present: (result: Shown<LicenseView>) => shown(deps, result),
    handle: async (call) =>
      shown(deps, await renewLicense(deps, call.permit, { ...guarded(deps, call), ...call.body })),
  });
}

function transferRoute(deps: LicenseRoutesDeps): LicenseRoute {
  return route({
    ...one,
    path: `${PATH}/{id}/transfer`,
    method: 'POST',
    summary: 'Put a licence under another policy of its product',
    demand: write,
    body: transferInput,
    answers: oneLicense,
    idempotent: 'answer',
    present: (result: Shown<LicenseView>) => shown(deps, result),
    handle: async (call) =>
      shown(deps, await transferLicense(deps, call.permit, { ...guarded(deps, call), ...call.body })),
  });
}

function entitlementRoutes(deps: LicenseRoutesDeps): LicenseRoute[] {
  const pair = {
    path: `${PATH}/{id}/entitlements/{entitlementId}`,
    tag: TAG,
    demand: write,
    params: idParams.extend({ entitlementId: idSchema }),
    answers: { 204: null },
  } as const;
  return [
    route({
      ...pair,
      method: 'PUT',
      summary: 'Give a licence an entitlement of its own, until a time or for good',
      body: entitleInput,
      handle: async ({ permit, params: { id, entitlementId }, body }) => {
        const expiresAt = body.expiresAt ?? null;
        await entitleLicense(deps, permit, { licenseId: id, entitlementId, expiresAt });
        return { status: 204 };
      },
    }),
    route({
      ...pair,
      method: 'DELETE',
      summary: 'Take an entitlement of its own from a licence',
      handle: async ({ permit, params: { id, entitlementId } }) => {
        await disentitleLicense(deps, permit, { licenseId: id, entitlementId });
        return { status: 204 };
      },
    }),
  ];
}

function guarded(deps: LicenseRoutesDeps, call: Call<Permit, { id: string }>) {
  return { id: call.params.id, versions: versionsMatching(call.header('if-match'), deps.branch()) };
}

function shown(deps: LicenseRoutesDeps, { view, version }: Shown<LicenseView>): Answer {
  return { status: 200, body: { data: view }, headers: { etag: etagOf(deps.branch(), version) } };
}
