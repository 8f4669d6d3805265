import {
  authorise,
  LicenseKeys,
  type Permit,
  type Principal,
  type Scope,
  SCOPES,
} from '../../src/access/index.ts';
import { createOutbox } from '../../src/delivery/index.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { createEntitlement } from '../../src/licensing/entitlements/create.ts';
import type { EntitlementView } from '../../src/licensing/entitlements/entitlement.ts';
import type { LicenseRoutesDeps } from '../../src/licensing/licenses/routes.ts';
import { licenseKeyForms } from '../../src/licensing/licenses/license-key.ts';
import { createLicense } from '../../src/licensing/licenses/create.ts';
import type { LicenseInput } from '../../src/licensing/licenses/license-schema.ts';
import type { LicenseView } from '../../src/licensing/licenses/license-view.ts';
import { createPolicy } from '../../src/licensing/policies/create.ts';
import { PolicyCache } from '../../src/licensing/policies/policy-cache.ts';
import type { PolicyInput } from '../../src/licensing/policies/policy-schema.ts';
import type { PolicyView } from '../../src/licensing/policies/policy.ts';
import { createProduct } from '../../src/licensing/products/create.ts';
import type { ProductView } from '../../src/licensing/products/product.ts';
import { createLicenseUsage } from '../../src/licensing/validation/license-usage.ts';
import type { RealmId } from '../../src/storage/realm-scope.ts';
import { countingDatabase } from '../support/counting-database.ts';
import { assertInvariants } from '../support/invariants.ts';
import { testSealing } from '../support/sealing.ts';
import { openTestStorage, type TestStorage } from '../support/storage.ts';

/** What the tests of this feature give to its operations. */
export interface CatalogueDeps extends LicenseRoutesDeps {
  readonly policies: PolicyCache;
  readonly licenseUsage: ReturnType<typeof createLicenseUsage>;
  readonly activeLicenseKid: (realm: RealmId) => string;
  mayActIrreversibly: () => boolean;
}

/** Operations on a real database, and what they left in it. */
export interface Catalogue extends AsyncDisposable {
  readonly storage: TestStorage;
  readonly deps: CatalogueDeps;
  /** The local operator on a realm (default: the live realm of acme). */
  readonly operator: (realm?: RealmId) => Permit;
  /** A secret key of acme's live realm with these scopes, limited to these products when some are given. */
  readonly key: (scopes?: readonly Scope[], products?: readonly string[]) => Permit;
  /** Statements executed since the last call. */
  readonly statements: () => number;
  readonly product: (permit?: Permit, code?: string) => Promise<ProductView>;
  readonly policy: (product: ProductView, settings?: Partial<PolicyInput>) => Promise<PolicyView>;
  readonly entitlement: (code: string) => Promise<EntitlementView>;
  readonly license: (policy: PolicyView, given?: Partial<LicenseInput>) => Promise<LicenseView>;
  /** Actions in the ledger, oldest first. */
  readonly actions: () => string[];
  /** Types of the events, oldest first. */
  readonly events: () => string[];
  /** The newest event as it was frozen. */
  readonly newestEvent: () => { readonly type: string; readonly data: Record<string, unknown> };
}

/** What a test may choose: the directory and the keys of a catalogue that was there before. */
export interface CatalogueChoices {
  readonly directory?: string;
  readonly sealing?: ReturnType<typeof testSealing>;
}

/** Opens a fresh catalogue, or one that was there. `await using catalogue = await openCatalogue()`. */
export async function openCatalogue({ directory, sealing }: CatalogueChoices = {}): Promise<Catalogue> {
  const counting = countingDatabase();
  const { database } = counting;
  const storage = await openTestStorage(directory === undefined ? { database } : { database, directory });
  const deps = depsOver(storage, sealing ?? testSealing());
  const operator = (realm: RealmId = storage.acme.live): Permit =>
    permitOf({ kind: 'operator', actor: { kind: 'operator', id: 'op_1', via: 'socket' }, realm });
  return {
    storage,
    deps,
    operator,
    key: (scopes = SCOPES, products = []) => permitOf({ ...secretKey(storage.acme.live, scopes), products }),
    statements: counting.statements,
    product: (permit = operator(), code = 'app') =>
      createProduct(deps, permit, { code, name: 'App', keyPrefix: 'ACME' }),
    policy: (product, settings = {}) =>
      createPolicy(deps, operator(), { productId: product.id, maxMachines: 3, ...settings }),
    entitlement: (code) => createEntitlement(deps, operator(), { code }),
    license: (policy, given = {}) =>
      createLicense(deps, operator(), { productId: policy.productId, policyId: policy.id, ...given }),
    actions: () => column(storage, 'SELECT bytes FROM ledger_entries ORDER BY position', 'action'),
    events: () => column(storage, 'SELECT body FROM events ORDER BY position', 'type'),
    newestEvent: () => {
      const native = storage.database.native;
      const body = native.prepare('SELECT body FROM events ORDER BY position DESC LIMIT 1').pluck().get();
      return JSON.parse(String(body)) as { type: string; data: Record<string, unknown> };
    },
    [Symbol.asyncDispose]: async () => {
      assertInvariants(storage.database);
      await storage[Symbol.asyncDispose]();
    },
  };
}

function depsOver(storage: TestStorage, sealing: ReturnType<typeof testSealing>): CatalogueDeps {
  const realmName = () => ({ tenant: 'acme', environment: 'live' });
  const { work } = storage;
  const { indexer } = sealing;
  return {
    ...sealing,
    work,
    licenseKeys: new LicenseKeys({ work, indexer, random: systemRandom, forms: licenseKeyForms }),
    outbox: createOutbox({ random: systemRandom, realmName }),
    random: systemRandom,
    policies: new PolicyCache(),
    licenseUsage: createLicenseUsage(storage.work),
    time: { now: () => storage.clock.wall() },
    activeLicenseKid: (realm) => `kid-of-realm-${String(realm)}`,
    mayActIrreversibly: () => true,
    branch: () => 'a1b2c3d4e5f60718',
  };
}

function secretKey(realm: RealmId, scopes: readonly Scope[]): Principal & { kind: 'secret-key' } {
  const actor = { kind: 'api-key', id: 'key_1', via: 'bearer' } as const;
  return { kind: 'secret-key', actor, realm, scopes: new Set(scopes), tier: 'standard' };
}

function permitOf(principal: Principal): Permit {
  const asked = { action: 'TEST', requestId: 'req_test' };
  const decision = authorise(principal, { scope: null, also: [] }, asked);
  if (!decision.allowed) throw new Error(`no permit: ${decision.rule}`);
  return decision.permit;
}

function column(storage: TestStorage, sql: string, member: string): string[] {
  const rows = storage.database.native.prepare(sql).pluck().all();
  return rows.map((row) => String((JSON.parse(String(row)) as Record<string, unknown>)[member]));
}
