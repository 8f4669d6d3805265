import { z } from 'zod';
import type { Demand, Permit } from '../access/index.ts';
import { type Route, routeOf } from '../http/route.ts';
import type { FeatureDeps } from './features.ts';
import { eraseTenant } from './erase-tenant.ts';

const route = routeOf<Permit, Demand>();

/** `/api/v1/tenants/{id}/erase`: for the local operator alone. */
export function eraseRoutes(deps: FeatureDeps): Route<Permit, Demand>[] {
  return [
    route({
      method: 'POST',
      path: '/api/v1/tenants/{id}/erase',
      summary: 'Erase a tenant with everything it has, for good',
      tag: 'tenants',
      demand: { scope: null, also: [], operatorOnly: true },
      params: z.strictObject({ id: z.string().min(1).max(64) }),
      body: z.strictObject({
        confirm: z.string().min(1).max(50).meta({ description: 'The code of the tenant' }),
      }),
      answers: { 204: null },
      handle: async ({ permit, params: { id }, body: { confirm } }) => {
        deps.admit('create');
        await eraseTenant(deps, permit, { id, confirm });
        return { status: 204 };
      },
    }),
  ];
}
