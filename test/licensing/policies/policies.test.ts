import { describe, expect, it } from 'vitest';
import { deletePolicy } from '../../../src/licensing/policies/delete.ts';
import { disentitlePolicy, entitlePolicy } from '../../../src/licensing/policies/entitle.ts';
import { listPolicies, showPolicy } from '../../../src/licensing/policies/show.ts';
import { updatePolicy } from '../../../src/licensing/policies/update.ts';
import { deleteEntitlement } from '../../../src/licensing/entitlements/delete.ts';
import { findPolicy } from '../../../src/licensing/policies/policy-store.ts';
import { openCatalogue } from '../catalogue.ts';

const ANY = { versions: null };
const FIRST = { descending: true, after: Number.MAX_SAFE_INTEGER, limit: 10 };

describe('policies', () => {
  it('show every setting resolved, and a code made from template and id', async () => {
    await using catalogue = await openCatalogue();
    const policy = await catalogue.policy(await catalogue.product(), { template: 'cli_tool' });
    expect(policy).toMatchObject({
      template: 'cli_tool',
      maxMachines: 3,
      offlineMaxDays: 7,
      entitlements: [],
    });
    expect(policy.code).toMatch(/^cli_tool-[0-9a-z]{8}$/);
    expect(policy.name).toBe(policy.code);
    expect(showPolicy(catalogue.deps, catalogue.operator(), policy.id)).toEqual({ view: policy, version: 1 });
  });

  it('need a living product of the same realm', async () => {
    await using catalogue = await openCatalogue();
    const product = await catalogue.product(catalogue.operator(catalogue.storage.acme.test));
    await expect(catalogue.policy(product)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(listPolicies(catalogue.deps, catalogue.operator(), FIRST)).toEqual([]);
  });

  it('refuse a code that another living policy of the realm has', async () => {
    await using catalogue = await openCatalogue();
    const product = await catalogue.product();
    await catalogue.policy(product, { code: 'std' });
    await expect(catalogue.policy(product, { code: 'std' })).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining('std') as string,
    });
  });

  it('merge a change into what they state, and keep following their template for the rest', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator } = catalogue;
    const policy = await catalogue.policy(await catalogue.product(), {
      template: 'desktop_app',
      durationDays: 365,
    });
    const change = { maxMachines: 7, name: 'Big' };
    const changed = await updatePolicy(deps, operator(), { id: policy.id, versions: [1], change });
    expect(changed.version).toBe(2);
    expect(changed.view).toMatchObject({ name: 'Big', maxMachines: 7, durationDays: 365, receiptCredits: 7 });
    const stored = findPolicy(catalogue.storage.work.read.in(catalogue.storage.acme.live), policy.id);
    expect(JSON.parse(stored?.settings ?? '')).toEqual({ maxMachines: 7, durationDays: 365 });
  });

  it('ask for consent only of the change that makes activations unlimited', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator } = catalogue;
    const { id } = await catalogue.policy(await catalogue.product());
    const unlimited = { id, ...ANY, change: { maxMachines: null } };
    await expect(updatePolicy(deps, operator(), unlimited)).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
    });
    const meant = { maxMachines: null, allowUnlimitedActivations: true };
    await updatePolicy(deps, operator(), { id, ...ANY, change: meant });
    const later = await updatePolicy(deps, operator(), { id, ...ANY, change: { floating: true } });
    expect(later.view).toMatchObject({ maxMachines: null, floating: true });
    expect(later.view).not.toHaveProperty('allowUnlimitedActivations');
  });

  it('refuse a change that contradicts what is there, and change nothing', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator } = catalogue;
    const { id } = await catalogue.policy(await catalogue.product());
    const change = { trialDurationDays: 7, floating: true } as const;
    await expect(updatePolicy(deps, operator(), { id, ...ANY, change })).rejects.toMatchObject({
      code: 'VALIDATION_FAILED',
      errors: [{ path: 'trialDurationDays' }],
    });
    expect(showPolicy(deps, operator(), id)).toMatchObject({ version: 1, view: { floating: false } });
  });

  it('reach their licences at the next reading, by a new version in the cache', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator, storage } = catalogue;
    const { id } = await catalogue.policy(await catalogue.product());
    const realm = storage.acme.live;
    const reader = storage.work.read.in(realm);
    const first = deps.policies.settings(reader, { realm, id, version: 1 });
    expect(deps.policies.settings(reader, { realm, id, version: 1 })).toBe(first);
    await updatePolicy(deps, operator(), { id, ...ANY, change: { maxMachines: 8 } });
    expect(deps.policies.settings(reader, { realm, id, version: 2 }).maxMachines).toBe(8);
  });

  it('are not kept in the cache when the unit that changed them is thrown away', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator, storage } = catalogue;
    const { id } = await catalogue.policy(await catalogue.product());
    const realm = storage.acme.live;
    deps.policies.get(storage.work.read.in(realm), { realm, id, version: 1 });
    const native = storage.database.native;
    // A version that somebody read inside a unit that was thrown away afterwards.
    native.exec(`SAVEPOINT thrown; UPDATE policies SET version = 2, settings = '{"maxMachines":99}'`);
    expect(deps.policies.settings(storage.work.read.in(realm), { realm, id, version: 2 }).maxMachines).toBe(
      99,
    );
    native.exec('ROLLBACK TO thrown; RELEASE thrown');
    await updatePolicy(deps, operator(), { id, ...ANY, change: { maxMachines: 4 } });
    expect(deps.policies.settings(storage.work.read.in(realm), { realm, id, version: 2 }).maxMachines).toBe(
      4,
    );
  });

  it('are not deleted while a licence follows them', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator } = catalogue;
    const policy = await catalogue.policy(await catalogue.product());
    await catalogue.license(policy);
    await expect(deletePolicy(deps, operator(), { id: policy.id, ...ANY })).rejects.toMatchObject({
      code: 'HAS_DEPENDENTS',
    });
  });

  it('are listed newest first and by product, in two statements however many there are', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator } = catalogue;
    const [one, two] = [
      await catalogue.product(operator(), 'one'),
      await catalogue.product(operator(), 'two'),
    ];
    for (const code of ['a', 'b', 'c']) await catalogue.policy(one, { code });
    await catalogue.policy(two, { code: 'd' });
    catalogue.statements();
    expect(listPolicies(deps, operator(), FIRST).map(({ view }) => view.code)).toEqual(['d', 'c', 'b', 'a']);
    expect(catalogue.statements()).toBe(2);
    const ofOne = listPolicies(deps, operator(), { ...FIRST, productId: one.id });
    expect(ofOne.map(({ view }) => view.code)).toEqual(['c', 'b', 'a']);
  });

  it('of one realm do not exist in another', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator, storage } = catalogue;
    const { id } = await catalogue.policy(await catalogue.product());
    const entitlement = await catalogue.entitlement('pro');
    const pair = { policyId: id, entitlementId: entitlement.id };
    for (const realm of [storage.acme.test, storage.globex.live]) {
      const stranger = operator(realm);
      expect(() => showPolicy(deps, stranger, id)).toThrow('there is no policy');
      expect(listPolicies(deps, stranger, FIRST)).toEqual([]);
      const change = { id, ...ANY, change: { name: 'stolen' } };
      await expect(updatePolicy(deps, stranger, change)).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(deletePolicy(deps, stranger, { id, ...ANY })).rejects.toMatchObject({ code: 'NOT_FOUND' });
      await expect(entitlePolicy(deps, stranger, pair)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    }
    expect(showPolicy(deps, operator(), id).version).toBe(1);
  });
});

describe('entitlements of policies', () => {
  it('are attached once, counted as an edit, and recorded', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator } = catalogue;
    const policy = await catalogue.policy(await catalogue.product());
    const { id } = await catalogue.entitlement('pro');
    const pair = { policyId: policy.id, entitlementId: id };
    await entitlePolicy(deps, operator(), pair);
    await entitlePolicy(deps, operator(), pair);
    expect(showPolicy(deps, operator(), policy.id)).toMatchObject({
      version: 2,
      view: { entitlements: ['pro'] },
    });
    expect(catalogue.actions().filter((action) => action === 'policy.entitled')).toHaveLength(1);
    expect((await catalogue.license(policy)).entitlements).toEqual(['pro']);
  });

  it('are detached once, then they are not there', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator } = catalogue;
    const policy = await catalogue.policy(await catalogue.product());
    const { id } = await catalogue.entitlement('pro');
    const pair = { policyId: policy.id, entitlementId: id };
    await entitlePolicy(deps, operator(), pair);
    await disentitlePolicy(deps, operator(), pair);
    expect(showPolicy(deps, operator(), policy.id).view.entitlements).toEqual([]);
    await expect(disentitlePolicy(deps, operator(), pair)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('are not deleted while a policy or a licence has them, and are once it is gone', async () => {
    await using catalogue = await openCatalogue();
    const { deps, operator } = catalogue;
    const policy = await catalogue.policy(await catalogue.product());
    const { id } = await catalogue.entitlement('pro');
    await entitlePolicy(deps, operator(), { policyId: policy.id, entitlementId: id });
    await expect(deleteEntitlement(deps, operator(), { id, ...ANY })).rejects.toMatchObject({
      code: 'HAS_DEPENDENTS',
    });
    await deletePolicy(deps, operator(), { id: policy.id, ...ANY });
    await deleteEntitlement(deps, operator(), { id, ...ANY });
    expect(catalogue.actions().at(-1)).toBe('entitlement.deleted');
  });
});
