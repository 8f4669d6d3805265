import { z } from 'zod';
import type { Demand, Permit } from '../access/index.ts';
import { Fault } from '../faults.ts';
import { type Route, routeOf } from '../http/route.ts';
import { isSweepHeld, PURGE_SWEEPS, releaseSweep, REVOKE_JOB, SWEEP_JOB } from '../licensing/index.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import type { Parts } from './parts.ts';

/** Sweeps that do what cannot be undone, and are held when they would do it to many at once. */
const SWEEPS = [SWEEP_JOB, REVOKE_JOB, ...PURGE_SWEEPS] as const;

/** A sweep that waits for an operator. */
export interface HeldSweep {
  readonly job: (typeof SWEEPS)[number];
  readonly tenant: string;
  readonly environment: 'live' | 'test';
}

const route = routeOf<Permit, Demand>();
const common = { tag: 'operator', demand: { scope: null, also: [], operatorOnly: true } } as const;

const heldAnswer = z.strictObject({
  job: z.enum(SWEEPS),
  tenant: z.string(),
  environment: z.enum(['live', 'test']),
});

/** `/api/v1/system/sweeps`: what waits for an operator, and letting it go. */
export function sweepRoutes(parts: Parts): Route<Permit, Demand>[] {
  const { work, outbox, random, time } = parts;
  return [
    route({
      ...common,
      method: 'GET',
      path: '/api/v1/system/sweeps',
      summary: 'List the sweeps that are held because they would hit many at once',
      answers: { 200: z.strictObject({ data: z.array(heldAnswer) }) },
      handle: () => ({ status: 200, body: { data: heldSweeps(parts) } }),
    }),
    route({
      ...common,
      method: 'POST',
      path: '/api/v1/system/sweeps/{job}/release',
      summary: 'Let a held sweep run once in the realm that is named, however many it hits',
      params: z.strictObject({ job: z.enum(SWEEPS) }),
      answers: { 200: z.strictObject({ data: heldAnswer }) },
      handle: async ({ permit, params: { job } }) => {
        const realm = namedRealm(permit);
        await releaseSweep({ work, outbox, random, time }, permit, { job });
        return { status: 200, body: { data: shown(parts, job, realm) } };
      },
    }),
  ];
}

/** Every sweep that is held, realm by realm. */
export function heldSweeps(parts: Pick<Parts, 'work' | 'realms'>): HeldSweep[] {
  return parts.realms.all().flatMap((realm) => {
    const held = SWEEPS.filter((job) => isSweepHeld(parts, { job }, realm));
    return held.map((job) => shown(parts, job, realm));
  });
}

function shown({ realms }: Pick<Parts, 'realms'>, job: HeldSweep['job'], realm: RealmId): HeldSweep {
  const { tenantCode: tenant, environment } = realms.name(realm);
  return { job, tenant, environment };
}

/** What is let go cannot be undone: it is never let go everywhere at once. */
function namedRealm({ realm }: Permit): RealmId {
  if (realm !== null) return realm;
  throw new Fault(
    'REALM_REQUIRED',
    'no tenant is named; send the header X-Mintmark-Tenant with its code, and X-Mintmark-Environment',
  );
}
