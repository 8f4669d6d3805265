import { z } from 'zod';
import type { Demand, Permit } from '../access/index.ts';
import { Fault } from '../faults.ts';
import { type Route, routeOf } from '../http/route.ts';
import { type RealmId, SYSTEM_REALM } from '../storage/realm-scope.ts';
import { listDataKeys, rotateRestKey } from './data-keys.ts';
import type { Parts } from './parts.ts';

const route = routeOf<Permit, Demand>();
const common = { tag: 'operator', demand: { scope: null, also: [], operatorOnly: true } } as const;

const dataKey = z.strictObject({
  tenant: z.string().nullable(),
  environment: z.string().nullable(),
  version: z.int(),
  state: z.string(),
  uses: z.int(),
  resealing: z
    .strictObject({
      older: z.array(z.int()),
      columnsDone: z.int(),
      columns: z.int(),
      resealed: z.int(),
      unreadable: z.int(),
    })
    .nullable(),
});
const ofAppliance = z.strictObject({
  appliance: z
    .boolean()
    .default(false)
    .meta({ description: "The appliance's own key, which belongs to no tenant" }),
});

/** `/api/v1/system/data-keys` and `index-keys`: what values and keyed digests at rest are under. */
export function dataKeyRoutes(parts: Parts): Route<Permit, Demand>[] {
  return [
    route({
      ...common,
      method: 'GET',
      path: '/api/v1/system/data-keys',
      summary: 'Data keys with their uses, and how far re-encryption is',
      answers: { 200: z.strictObject({ data: z.array(dataKey) }) },
      handle: () => ({ status: 200, body: { data: listDataKeys(parts) } }),
    }),
    ...(['data', 'index'] as const).map((kind) =>
      route({
        ...common,
        method: 'POST',
        path: `/api/v1/system/${kind}-keys/rotate`,
        summary: `A new ${kind} key for an environment of a tenant, or for the appliance`,
        body: ofAppliance,
        answers: { 200: z.strictObject({ data: z.strictObject({ version: z.int() }) }) },
        handle: async ({ permit, body: { appliance } }) => {
          const realm = realmOf(permit, appliance);
          return { status: 200, body: { data: await rotateRestKey(parts, permit, { kind, realm }) } };
        },
      }),
    ),
  ];
}

/** @throws Fault REALM_REQUIRED when no tenant is named */
function realmOf({ realm }: Permit, appliance: boolean): RealmId {
  if (appliance) return SYSTEM_REALM;
  if (realm !== null) return realm;
  throw new Fault('REALM_REQUIRED', 'no tenant is named; send the header X-Mintmark-Tenant with its code');
}
