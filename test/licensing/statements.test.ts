import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { apiKeyRoutes, type Demand, type Permit, ProvenKeys, usageRoutes } from '../../src/access/index.ts';
import { eventRoutes } from '../../src/delivery/index.ts';
import type { Call, Route } from '../../src/http/route.ts';
import { issuingRoutes } from '../../src/issuing/index.ts';
import { auditRoutes } from '../../src/ledger/index.ts';
import { systemRandom } from '../../src/lib/random.ts';
import {
  analyticsRoutes,
  entitlementRoutes,
  licenseRoutes,
  machineRoutes,
  PolicyCache,
  policyRoutes,
  productRoutes,
} from '../../src/licensing/index.ts';
import { createProduct } from '../../src/licensing/products/create.ts';
import { countingDatabase } from '../support/counting-database.ts';
import { openShop, type Shop } from './shop.ts';

/** Every read of one tenant's data. Whoever adds one adds it here, or the first test fails. */
function readRoutes(shop: Shop): Route<Permit, Demand>[] {
  // Nothing is known yet of policies: what a page needs of them is part of its cost.
  const deps = {
    ...shop.deps,
    policies: new PolicyCache(),
    read: shop.deps.work.read,
    environmentOf: () => 'live' as const,
    proven: new ProvenKeys(systemRandom),
  };
  const routes = [
    ...productRoutes(deps),
    ...policyRoutes(deps),
    ...entitlementRoutes(deps),
    ...licenseRoutes(deps),
    ...machineRoutes(deps),
    ...issuingRoutes(deps),
    ...analyticsRoutes(deps),
    ...eventRoutes(deps),
    ...apiKeyRoutes(deps),
    ...auditRoutes(deps),
    ...usageRoutes(deps),
  ];
  return routes.filter(({ method, path }) => method === 'GET' && isOfTenant(path));
}

/** Public documents, the appliance itself, what is in memory alone: not read from the tables of one tenant. */
const ELSEWHERE = /^(tenants|system|health|ready|openapi\.json|trust-bundle|revocations|seal|\.well-known)/u;

function isOfTenant(path: string): boolean {
  return !ELSEWHERE.test(path.replace(/^\/(api\/v1\/)?/u, ''));
}

/** Ids for the paths, and the filters of the lists. */
interface Filled {
  readonly ids: Readonly<Record<string, string>>;
  readonly queries: Readonly<Record<string, readonly Record<string, string>[]>>;
}

/** Makes `count` of everything, each licence under a policy of its own. */
async function fill(shop: Shop, count: number): Promise<Filled> {
  const first = await createProduct(shop.deps, shop.operator(), {
    name: 'P',
    code: `p${String(count)}`,
    indexedMetadata: ['plan'],
  });
  const ids: Record<string, string> = { products: first.id };
  for (let made = 0; made < count; made++) {
    const { id: entitlementId } = await shop.entitlement(`e${String(count)}-${String(made)}`);
    const product = made === 0 ? first : await shop.product(`q${String(count)}-${String(made)}`);
    const policy = await shop.policy(product.id, { floating: true });
    const license = await shop.license({
      ...{ productId: product.id, policyId: policy.id, entitlementIds: [entitlementId] },
      ...{ userEmail: 'jane@acme.example', metadata: { plan: 'pro' } },
    });
    const { machine } = await shop.activate(license.id, `machine-${String(count)}-${String(made)}`);
    Object.assign(ids, {
      entitlements: entitlementId,
      policies: policy.id,
      licenses: license.id,
      machines: machine.id,
    });
  }
  const licenses = [
    {},
    { sort: 'expiresAt' },
    { sort: '-expiresAt' },
    { status: 'expired' },
    { userEmail: 'jane@acme.example' },
    { 'metadata.plan': 'pro' },
    { deleted: 'true' },
  ];
  return {
    ids,
    queries: { licenses, products: [{}, { deleted: 'true' }], policies: [{}, { productId: first.id }] },
  };
}

/** Statements of one request. */
async function costOf(
  shop: Shop,
  statements: () => number,
  asked: { route: Route<Permit, Demand>; id: string | undefined; query: Record<string, string> },
): Promise<number> {
  const { route, id, query } = asked;
  const read = route.query?.parse(query);
  const call = {
    permit: shop.operator(),
    params: { id },
    query: read,
    requestId: 'req_test',
    address: '127.0.0.1',
    path: route.path,
    header: () => undefined,
    bodyDigest: () => Buffer.alloc(32),
  } as unknown as Call<Permit>; // what a handler of a GET looks at
  statements();
  const { status } = await route.handle(call);
  expect(status, route.path).toBe(200);
  return statements();
}

const resourceOf = (path: string): string => path.split('/')[3] ?? '';

describe('a read', () => {
  it('of every route is looked at here', async () => {
    await using shop = await openShop();
    const document = JSON.parse(readFileSync('docs/openapi.json', 'utf8')) as {
      paths: Record<string, Record<string, unknown>>;
    };
    const documented = Object.entries(document.paths)
      .filter(([path, methods]) => 'get' in methods && isOfTenant(path))
      .map(([path]) => path);
    const known = readRoutes(shop).map(({ path }) => path);
    expect(known).toEqual(expect.arrayContaining(documented));
  });

  it('takes as many statements for twenty rows as for one, in every list and for every thing shown', async () => {
    const counting = countingDatabase();
    const costs: Map<string, number>[] = [];
    for (const count of [1, 20]) {
      await using shop = await openShop({ database: counting.database });
      const { ids, queries } = await fill(shop, count);
      const found = new Map<string, number>();
      for (const route of readRoutes(shop)) {
        const resource = resourceOf(route.path);
        // There is no API key here, and the journal of these tests is no ledger: ledger/routes.test.ts reads that.
        if (route.path === '/api/v1/api-keys/{id}' || resource === 'audit') continue;
        for (const query of route.path.includes('{') ? [{}] : (queries[resource] ?? [{}])) {
          const asked = { route: fresh(shop, route), id: ids[resource], query };
          const name = `${route.path} ${JSON.stringify(query)}`;
          found.set(name.replace(/prod_\w+/u, 'prod'), await costOf(shop, counting.statements, asked));
        }
      }
      costs.push(found);
    }
    const [one, twenty] = costs;
    expect(Object.fromEntries(twenty ?? [])).toEqual(Object.fromEntries(one ?? []));
    expect(one?.size).toBeGreaterThan(20);
    expect(Math.max(...(one?.values() ?? []))).toBeLessThanOrEqual(12);
  });
});

/** The same route with caches that know nothing. */
function fresh(shop: Shop, { method, path }: Route<Permit, Demand>): Route<Permit, Demand> {
  const route = readRoutes(shop).find((other) => other.method === method && other.path === path);
  if (route === undefined) throw new Error(`no route ${path}`);
  return route;
}
