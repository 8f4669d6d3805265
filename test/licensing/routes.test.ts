import { describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { entitlementAnswer } from '../../src/licensing/entitlements/entitlement-schema.ts';
import { entitlementRoutes } from '../../src/licensing/entitlements/routes.ts';
import { licenseAnswer } from '../../src/licensing/licenses/license-schema.ts';
import { licenseRoutes } from '../../src/licensing/licenses/routes.ts';
import { policyAnswer } from '../../src/licensing/policies/policy-schema.ts';
import { policyRoutes } from '../../src/licensing/policies/routes.ts';
import { productAnswer } from '../../src/licensing/products/product-schema.ts';
import { productRoutes } from '../../src/licensing/products/routes.ts';
import { openCatalogue } from './catalogue.ts';

/** The route table of the specification: route, scope, answers. */
const TABLE = [
  ['POST /products', 'products:write', 201],
  ['GET /products', 'products:read', 200],
  ['GET /products/{id}', 'products:read', 200],
  ['PATCH /products/{id}', 'products:write', 200],
  ['DELETE /products/{id}', 'products:write', 204],
  ['POST /policies', 'policies:write', 201],
  ['GET /policies', 'policies:read', 200],
  ['GET /policies/{id}', 'policies:read', 200],
  ['PATCH /policies/{id}', 'policies:write', 200],
  ['DELETE /policies/{id}', 'policies:write', 204],
  ['PUT /policies/{id}/entitlements/{entitlementId}', 'policies:write', 204],
  ['DELETE /policies/{id}/entitlements/{entitlementId}', 'policies:write', 204],
  ['POST /entitlements', 'entitlements:write', 201],
  ['GET /entitlements', 'entitlements:read', 200],
  ['GET /entitlements/{id}', 'entitlements:read', 200],
  ['PATCH /entitlements/{id}', 'entitlements:write', 200],
  ['DELETE /entitlements/{id}', 'entitlements:write', 204],
  ['POST /licenses', 'licenses:write', 201],
  ['GET /licenses', 'licenses:read', 200],
  ['GET /licenses/{id}', 'licenses:read', 200],
  ['PATCH /licenses/{id}', 'licenses:write', 200],
  ['DELETE /licenses/{id}', 'licenses:write', 204],
  ['PUT /licenses/{id}/entitlements/{entitlementId}', 'licenses:write', 204],
  ['DELETE /licenses/{id}/entitlements/{entitlementId}', 'licenses:write', 204],
  ['POST /licenses/{id}/suspend', 'licenses:write', 200],
  ['POST /licenses/{id}/reinstate', 'licenses:write', 200],
  ['POST /licenses/{id}/renew', 'licenses:write', 200],
  ['POST /licenses/{id}/transfer', 'licenses:write', 200],
  ['POST /licenses/{id}/revoke', 'licenses:revoke', 200],
  ['POST /licenses/{id}/ban', 'licenses:revoke', 200],
  ['POST /licenses/{id}/reveal', 'licenses:reveal', 200],
  ['POST /licenses/lookup', 'licenses:read', 200],
  ['POST /licenses/{id}/restore', 'licenses:write', 200],
  ['POST /products/{id}/restore', 'products:write', 200],
  ['POST /products/{id}/set-key', 'signing-keys:rotate', 200],
  ['POST /policies/{id}/restore', 'policies:write', 200],
  ['POST /entitlements/{id}/restore', 'entitlements:write', 200],
] as const;

describe('the routes of the catalogue', () => {
  it('are the ones of the specification, with their scopes and answers', async () => {
    await using catalogue = await openCatalogue();
    const { deps } = catalogue;
    const routes = [productRoutes, policyRoutes, entitlementRoutes].flatMap((make) => make(deps));
    const rows = [...routes, ...licenseRoutes(deps)].map(({ method, path, demand, answers }) => {
      expect(demand.also).toEqual([]);
      return [`${method} ${path.replace('/api/v1', '')}`, demand.scope, Number(Object.keys(answers)[0])];
    });
    expect(rows.sort()).toEqual(TABLE.map((row) => [...row]).sort());
  });

  it('answer what their schemas say, member for member', async () => {
    await using catalogue = await openCatalogue();
    const product = await catalogue.product();
    const policy = await catalogue.policy(product, { template: 'saas' });
    const entitlement = await catalogue.entitlement('pro');
    const license = await catalogue.license(policy, {
      userEmail: 'a@b',
      entitlementIds: [entitlement.id],
      metadata: { deep: { er: [1, null] } },
    });
    const shown: [z.ZodType, unknown][] = [
      [productAnswer, product],
      [policyAnswer, policy],
      [entitlementAnswer, entitlement],
      [licenseAnswer, license],
    ];
    for (const [schema, view] of shown) expect(schema.parse(view)).toEqual(view);
  });

  it('keep the key of a create out of what is stored for replay', async () => {
    await using catalogue = await openCatalogue();
    const license = await catalogue.license(await catalogue.policy(await catalogue.product()));
    const create = licenseRoutes(catalogue.deps).find(({ idempotent }) => idempotent === 'reread');
    const answer = create?.present?.(license);
    expect(answer).toMatchObject({ status: 201, secrets: ['key'], headers: { etag: '"a1b2c3d4.1"' } });
  });
});
