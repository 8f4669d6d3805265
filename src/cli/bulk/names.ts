import { Fault } from '../../faults.ts';
import type { ApiClient } from '../api-client.ts';
import { pagesOf, type Resource } from './pages.ts';

/** What files call products, policies and entitlements, and what the appliance does. */
export interface Names {
  /** Id of a product, by code or id. */
  product(name: string): string | undefined;
  /** Ids of a policy and its product, by code or id, or by its name when no other has it. */
  policy(name: string): { readonly id: string; readonly productId: string } | undefined;
  /** Id of one of the policies; undefined: there are none. */
  readonly anyPolicy: string | undefined;
  /** Id of an entitlement, by code or id. */
  entitlement(name: string): string | undefined;
  /** Code of a product or policy by id; its id when it is gone. */
  codeOf(id: string): string;
}

/** Reads all names of a realm. Needs `products:read`, `policies:read` and `entitlements:read`. */
export async function loadNames(client: ApiClient): Promise<Names> {
  const products = await all(client, '/products');
  const policies = await all(client, '/policies');
  const entitlements = await all(client, '/entitlements');
  const [productOf, policyOf, entitlementOf] = [products, policies, entitlements].map(byName);
  const codes = new Map([...products, ...policies].map((one) => [String(one['id']), String(one['code'])]));
  return {
    product: (name) => idOf(productOf?.get(name)),
    policy: (name) => {
      const found = policyOf?.get(name) ?? onlyNamed(policies, name);
      return found && { id: String(found['id']), productId: String(found['productId']) };
    },
    anyPolicy: idOf(policies[0]),
    entitlement: (name) => idOf(entitlementOf?.get(name)),
    codeOf: (id) => codes.get(id) ?? id,
  };
}

async function all(client: ApiClient, path: string): Promise<Resource[]> {
  const resources: Resource[] = [];
  for await (const page of pagesOf(client, path)) resources.push(...page);
  return resources;
}

function onlyNamed(resources: readonly Resource[], name: string): Resource | undefined {
  const named = resources.filter((one) => one['name'] === name);
  return named.length === 1 ? named[0] : undefined;
}

function byName(resources: readonly Resource[]): ReadonlyMap<string, Resource> {
  const names = new Map<string, Resource>();
  // Ids last: an id always means what it names, whatever codes people choose.
  for (const one of resources) names.set(String(one['code']), one);
  for (const one of resources) names.set(String(one['id']), one);
  return names;
}

const idOf = (resource: Resource | undefined): string | undefined => resource && String(resource['id']);

/**
 * Where an import goes, or an export comes from: the branch of the appliance's history (new after a restore) and who the
 * requests are from. Resuming an import elsewhere would make everything twice, an export would mix two appliances.
 * @param path of any resource of the realm that has an entity tag
 */
export async function targetOf(client: ApiClient, path: string): Promise<string> {
  const { headers } = await client.send({ method: 'GET', path });
  const [branch = ''] = String(headers['etag']).replaceAll('"', '').split('.');
  return `${branch} ${client.caller()}`;
}

/**
 * Licences in production come from an appliance that is meant for it: a development appliance gives out files that release
 * builds refuse, and can never be made a real one.
 * @throws Fault DEV_APPLIANCE
 */
export async function refuseDevelopment(client: ApiClient): Promise<void> {
  const { headers } = await client.send({ method: 'GET', path: '/products?limit=1' });
  if (headers['mintmark-dev'] === undefined) return;
  throw new Fault('DEV_APPLIANCE', 'licences are not imported into a development appliance');
}
