import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  authorise,
  type Demand,
  LicenseKeys,
  type Permit,
  type Principal,
  type RealmName,
  type Scope,
} from '../../src/access/index.ts';
import { initialiseCustody, type Keyring } from '../../src/custody/index.ts';
import { createOutbox } from '../../src/delivery/outbox.ts';
import { Fault } from '../../src/faults.ts';
import { append } from '../../src/ledger/append.ts';
import { DAY } from '../../src/lib/clock.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { newId } from '../../src/lib/ulid.ts';
import { prepareTenantTrust, publishTrustBundle, RevocationLists } from '../../src/issuing/index.ts';
import {
  Challenges,
  createLicenseUsage,
  createMachineUsage,
  createValidationCounts,
  Decoy,
  LimitNotices,
  PolicyCache,
} from '../../src/licensing/index.ts';
import { createEntitlement } from '../../src/licensing/entitlements/create.ts';
import { licenseKeyForms } from '../../src/licensing/licenses/license-key.ts';
import { createLicense } from '../../src/licensing/licenses/create.ts';
import type { LicenseInput } from '../../src/licensing/licenses/license-schema.ts';
import { activateMachine } from '../../src/licensing/machines/activate.ts';
import type { MachineInput } from '../../src/licensing/machines/machine-schema.ts';
import { createPolicy } from '../../src/licensing/policies/create.ts';
import type { PolicyInput } from '../../src/licensing/policies/policy-schema.ts';
import { createProduct } from '../../src/licensing/products/create.ts';
import { openFileSequence } from '../../src/storage/file-sequence.ts';
import type { RealmId } from '../../src/storage/realm-scope.ts';
import { assertInvariants } from '../support/invariants.ts';
import { openTestStorage, type TestStorageChoices } from '../support/storage.ts';

const BRANCH = '00112233445566ff';

/** Everything licensing and issuing stand on, real, over a temporary database and a temporary custody. */
// One table of contents of what there is: splitting it would only hide it.
// eslint-disable-next-line max-lines-per-function
export async function openShop(choices: TestStorageChoices = {}) {
  const storage = await openTestStorage(choices);
  const { work, clock, sealer, indexer, acme, globex } = storage;
  const keys = mkdtempSync(join(tmpdir(), 'mintmark-keys-'));
  const random = systemRandom;
  const { custody } = await initialiseCustody({ directory: keys, random, now: clock.wall() });
  const keyring = await custody.openKeyring(work.read);
  const time = { now: () => clock.wall() };
  const names = new Map<RealmId, RealmName>(
    [acme, globex].flatMap(({ tenantId, live, test }) => {
      const tenant = { tenantId, tenantCode: tenantId.slice('ten_'.length) };
      return [
        [live, { ...tenant, environment: 'live' }],
        [test, { ...tenant, environment: 'test' }],
      ] as const;
    }),
  );
  const realmName = (realm: RealmId): RealmName | null => names.get(realm) ?? null;
  const state = {
    readyAt: clock.wall(),
    refused: null as Fault | null,
    mayEnd: true,
    unknown: [] as string[],
    listFailures: [] as unknown[],
  };
  const admit = (): void => {
    if (state.refused !== null) throw state.refused;
  };
  const revocationLists = new RevocationLists({
    ...{ work, keyring, time, clock, realmName, admit },
    onListFailure: (error) => state.listFailures.push(error),
    listLimits: { paceMs: 0, maxEntries: 20 },
  });
  const deps = {
    ...{ work, sealer, indexer, random, time, admit, realmName, keyring },
    policies: new PolicyCache(),
    licenseUsage: createLicenseUsage(work),
    validationCounts: createValidationCounts(work),
    machineUsage: createMachineUsage(work),
    limitNotices: new LimitNotices(),
    challenges: new Challenges({ clock, random }),
    licenseKeys: new LicenseKeys({ work, indexer, random, forms: licenseKeyForms }),
    decoy: new Decoy({ sealer, random }),
    outbox: createOutbox({
      random,
      realmName: (realm) => {
        const name = realmName(realm);
        return { tenant: name?.tenantCode ?? '-', environment: name?.environment ?? 'system' };
      },
    }),
    readyAt: () => state.readyAt,
    mayEnd: () => state.mayEnd,
    realms: () => [...names.keys()],
    unknownKey: (address: string) => {
      state.unknown.push(address);
    },
    branch: () => BRANCH,
    signingKeys: keyring,
    signer: keyring,
    fileNumbers: await openFileSequence({ work }, BRANCH),
    ledgerAnchor: () => ({ size: storage.journal.head().size, root: Buffer.alloc(32, 7) }),
    revocationLists,
    epoch: (realm: RealmId) => revocationLists.epoch(realm),
    realmByCode: (code: string, environment: 'live' | 'test') =>
      [...names].find(([, name]) => name.tenantCode === code && name.environment === environment)?.[0],
    leadMs: 90 * DAY,
    reminderMs: 365 * DAY,
    rotateMs: (400 * DAY) as number | null,
    ledgerOrigin: 'mintmark/test',
    ledgerHandedOver: () => true,
    issuer: { name: 'Mintmark', dev: false },
    countIssue: () => undefined,
    activeLicenseKid: (realm: RealmId) =>
      keyring.activeKey('license', { tenantId: names.get(realm)?.tenantId ?? null, realm }).kid,
  };
  await makeTrust(deps, storage, keyring);

  const permit = (principal: Principal, demand: Demand = { scope: null, also: [] }): Permit => {
    const requestId = newId('request', clock.wall(), random);
    const decision = authorise(principal, demand, { action: 'TEST', requestId });
    if (!decision.allowed) throw new Fault('INTERNAL', `the test may not do that: ${decision.rule}`);
    return decision.permit;
  };
  const operator = (realm: RealmId = acme.live): Permit =>
    permit({ kind: 'operator', actor: { kind: 'operator', id: 'op_test', via: 'socket' }, realm });
  const also = ['license', 'anonymous', 'publishable-key'] as const;
  const all: Demand = { scope: null, also };

  return {
    ...{ storage, deps, state, acme, globex, clock, operator, keyring },
    /** Where the sealed private keys are. */
    keyDirectory: join(keys, 'keys'),
    secretKey: (scopes: readonly Scope[], realm: RealmId = acme.live): Permit =>
      permit({
        kind: 'secret-key',
        actor: { kind: 'api-key', id: 'key_test', via: 'api-key' },
        realm,
        scopes: new Set(scopes),
        tier: 'standard',
      }),
    publishableKey: (realm: RealmId = acme.live): Permit =>
      permit(
        {
          kind: 'publishable-key',
          actor: { kind: 'api-key', id: 'key_pk', via: 'api-key' },
          realm,
          scopes: new Set<Scope>(),
          tier: 'standard',
        },
        all,
      ),
    holder: (licenseId: string, realm: RealmId = acme.live): Permit =>
      permit(
        { kind: 'license', actor: { kind: 'license', id: licenseId, via: 'key' }, realm, licenseId },
        all,
      ),
    anonymous: (): Permit =>
      permit({ kind: 'anonymous', actor: { kind: 'anonymous', id: '-', via: 'http' }, realm: null }, all),
    product: (code = 'app', realm: RealmId = acme.live) =>
      createProduct(deps, operator(realm), { name: 'App', code, keyPrefix: 'APP' }),
    policy: (productId: string, settings: Partial<PolicyInput> = {}, realm: RealmId = acme.live) =>
      createPolicy(deps, operator(realm), { productId, maxMachines: 2, ...settings }),
    entitlement: (code: string, realm: RealmId = acme.live) =>
      createEntitlement(deps, operator(realm), { code, name: code }),
    license: (input: LicenseInput, realm: RealmId = acme.live) => createLicense(deps, operator(realm), input),
    activate: (licenseId: string, fingerprint: string, more: Partial<MachineInput> = {}) =>
      activateMachine(deps, operator(), { licenseId, input: { fingerprint, ...more } }),
    /** A product, a policy with these settings, and a licence under it. */
    async sell(
      settings: Partial<PolicyInput> = {},
      input: Partial<LicenseInput> = {},
      realm: RealmId = acme.live,
    ) {
      const product = await this.product(`app${String(nextCode++)}`, realm);
      const policy = await this.policy(product.id, settings, realm);
      const license = await this.license({ productId: product.id, policyId: policy.id, ...input }, realm);
      return { product, policy, license };
    },
    row: (sql: string, ...values: unknown[]): unknown => storage.database.native.prepare(sql).get(...values),
    rows: (sql: string, ...values: unknown[]): unknown[] =>
      storage.database.native.prepare(sql).all(...values),
    /** Actions in the ledger, in order. */
    actions: (): string[] =>
      storage.database.native
        .prepare("SELECT json_extract(CAST(bytes AS TEXT), '$.action') FROM ledger_entries ORDER BY position")
        .pluck()
        .all() as string[],
    /** Types of the events, in order. */
    events: (): string[] =>
      storage.database.native.prepare('SELECT type FROM events ORDER BY position').pluck().all() as string[],
    async [Symbol.asyncDispose]() {
      await deps.licenseUsage.flush();
      await deps.validationCounts.flush();
      await deps.machineUsage.flush();
      assertInvariants(storage.database);
      await custody[Symbol.asyncDispose]();
      await storage[Symbol.asyncDispose]();
      rmSync(keys, { recursive: true });
    },
  };
}

/** What `openShop` gives. */
export type Shop = Awaited<ReturnType<typeof openShop>>;

let nextCode = 1;

/** The tenants of the storage fixture get their keys and their first bundle. */
async function makeTrust(
  deps: { readonly work: Shop['deps']['work']; readonly time: { now(): number }; readonly admit: () => void },
  storage: Awaited<ReturnType<typeof openTestStorage>>,
  keyring: Keyring,
): Promise<void> {
  for (const { tenantId, live, test } of [storage.acme, storage.globex]) {
    const trust = { keyring, createRealmKeys: () => undefined };
    const at = deps.time.now();
    const prepared = await prepareTenantTrust(trust, { id: tenantId, code: tenantId.slice(4), at });
    const authority = storage.authority(null);
    await deps.work.run(authority, (tx) => {
      for (const happening of prepared.register(tx, { tenantId, live, test })) append(tx, happening);
    });
    await publishTrustBundle({ ...deps, keyring }, authority, tenantId);
  }
}

/** The code of the fault a promise ends in, or `done`. */
export function outcomeOf(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'done',
    (error: unknown) => (error instanceof Fault ? error.code : String(error)),
  );
}
