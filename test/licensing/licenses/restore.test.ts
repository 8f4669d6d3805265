import { describe, expect, it } from 'vitest';
import { checkoutLicense } from '../../../src/issuing/checkout.ts';
import { deleteEntitlement } from '../../../src/licensing/entitlements/delete.ts';
import { deleteLicense } from '../../../src/licensing/licenses/delete.ts';
import { entitleLicense } from '../../../src/licensing/licenses/entitle.ts';
import { lookupLicense } from '../../../src/licensing/licenses/lookup.ts';
import { restoreLicense } from '../../../src/licensing/licenses/restore.ts';
import { listLicenses, showLicense } from '../../../src/licensing/licenses/show.ts';
import { changeStatus } from '../../../src/licensing/licenses/transition.ts';
import { disentitleLicense } from '../../../src/licensing/licenses/entitle.ts';
import { deactivateMachine } from '../../../src/licensing/machines/deactivate.ts';
import { showMachine } from '../../../src/licensing/machines/show.ts';
import { deletePolicy } from '../../../src/licensing/policies/delete.ts';
import { restorePolicy } from '../../../src/licensing/policies/restore.ts';
import { updatePolicy } from '../../../src/licensing/policies/update.ts';
import { deleteProduct } from '../../../src/licensing/products/delete.ts';
import { restoreProduct } from '../../../src/licensing/products/restore.ts';
import { openShop, outcomeOf, type Shop } from '../shop.ts';

const ANY = { versions: null };
const NEWEST = { by: 'createdAt', descending: true, after: Number.MAX_SAFE_INTEGER } as const;

const remove = (shop: Shop, id: string): Promise<void> =>
  deleteLicense(shop.deps, shop.operator(), { id, ...ANY });
const restore = (shop: Shop, id: string, machines = true) =>
  restoreLicense(shop.deps, shop.operator(), { id, ...ANY, machines });

describe('a deleted licence that is restored', () => {
  it('has its key, its state, its persons and its living entitlements again', async () => {
    await using shop = await openShop();
    const [kept, gone] = [await shop.entitlement('kept'), await shop.entitlement('gone')];
    const given = { userEmail: 'jane@acme.example', metadata: { plan: 'pro' }, name: 'Jane' };
    const { license } = await shop.sell({}, { ...given, entitlementIds: [kept.id, gone.id] });
    await changeStatus(shop.deps, shop.operator(), { id: license.id, ...ANY, action: 'suspend' });
    const before = showLicense(shop.deps, shop.operator(), license.id).view;
    await remove(shop, license.id);
    expect(() => showLicense(shop.deps, shop.operator(), license.id)).toThrow('there is no licence');
    await deleteEntitlement(shop.deps, shop.operator(), { id: gone.id, ...ANY });

    const { view, version } = await restore(shop, license.id);
    const ownEntitlements = [{ id: kept.id, code: 'kept', expiresAt: null }];
    const left = { entitlements: ['kept'], ownEntitlements };
    expect(view).toEqual({ ...before, ...left, updatedAt: view.updatedAt });
    expect(version).toBe(4);
    expect(lookupLicense(shop.deps, shop.operator(), license.key).view.id).toBe(license.id);
    expect(shop.actions().at(-1)).toBe('license.restored');
    expect(shop.events().at(-1)).toBe('license.restored');
  });

  it('has the machines that went with it, each in a seat, and none that was removed before', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxMachines: 3, floating: true });
    const [first, second, third] = [
      await shop.activate(license.id, 'machine-one'),
      await shop.activate(license.id, 'machine-two'),
      await shop.activate(license.id, 'machine-three'),
    ];
    await deactivateMachine(shop.deps, shop.operator(), { id: first.machine.id, ...ANY, signed: null });
    await remove(shop, license.id);
    const { view } = await restore(shop, license.id);
    expect(view.machineCount).toBe(2);
    for (const { machine } of [second, third])
      expect(showMachine(shop.deps, shop.operator(), machine.id).view.status).toBe('alive');
    expect(() => showMachine(shop.deps, shop.operator(), first.machine.id)).toThrow('there is no machine');
    expect(shop.actions().filter((action) => action === 'machine.restored')).toHaveLength(2);
    // The seats are counted: one is free, and a second one is not.
    await shop.activate(license.id, 'machine-four');
    expect(await outcomeOf(shop.activate(license.id, 'machine-five'))).toBe('MACHINE_LIMIT_EXCEEDED');
  });

  it('is refused, and stays deleted, when its machines have no seats by now; the refusal says how many', async () => {
    await using shop = await openShop();
    const { license, policy } = await shop.sell({ maxMachines: 3 });
    for (const name of ['machine-one', 'machine-two', 'machine-three']) await shop.activate(license.id, name);
    await remove(shop, license.id);
    await updatePolicy(shop.deps, shop.operator(), { id: policy.id, ...ANY, change: { maxMachines: 2 } });
    await expect(restore(shop, license.id)).rejects.toMatchObject({
      code: 'MACHINE_LIMIT_EXCEEDED',
      message: expect.stringMatching(
        /had 3 machines, and there are seats for 2 by now.*"machines": false/,
      ) as string,
    });
    expect(() => showLicense(shop.deps, shop.operator(), license.id)).toThrow('there is no licence');

    const { view } = await restore(shop, license.id, false);
    expect(view.machineCount).toBe(0);
    await shop.activate(license.id, 'machine-one');
    // What was left behind once stays behind.
    await remove(shop, license.id);
    expect((await restore(shop, license.id)).view.machineCount).toBe(1);
  });

  it.each([[false], [true]])(
    'has the seats of outstanding files still taken, machines %s',
    async (machines) => {
      await using shop = await openShop();
      const { license } = await shop.sell({ maxMachines: 1, floating: true });
      const file = { ttlSeconds: 86_400, encrypt: true, signed: null, raw: false, form: 'file' } as const;
      const asked = { licenseId: license.id, components: undefined, ...file };
      await checkoutLicense(shop.deps, shop.operator(), { ...asked, fingerprint: 'machine-one' });
      await remove(shop, license.id);
      expect((await restore(shop, license.id, machines)).view.machineCount).toBe(1);
      const second = { ...asked, fingerprint: 'machine-two' };
      expect(await outcomeOf(checkoutLicense(shop.deps, shop.operator(), second))).toBe(
        'MACHINE_LIMIT_EXCEEDED',
      );
      // The machine itself has its seat, as before.
      expect((await shop.activate(license.id, 'machine-one')).created).toBe(!machines);
      expect(shop.row('SELECT seats FROM license_seats')).toEqual({ seats: 1 });
      expect(shop.rows('SELECT id FROM machines WHERE seat_held_until IS NOT NULL')).toEqual([]);
    },
  );

  it('is refused when one of its machines is active under another licence by now', async () => {
    await using shop = await openShop();
    const { license, product, policy } = await shop.sell({ fingerprintUniqueness: 'PER_POLICY' });
    await shop.activate(license.id, 'machine-one');
    await remove(shop, license.id);
    const other = await shop.license({ productId: product.id, policyId: policy.id });
    await shop.activate(other.id, 'machine-one');
    await expect(restore(shop, license.id)).rejects.toMatchObject({ code: 'FINGERPRINT_TAKEN' });
    expect((await restore(shop, license.id, false)).view.status).toBe('active');
  });

  it('names what has to come back first: its product, then its policy', async () => {
    await using shop = await openShop();
    const { license, product, policy } = await shop.sell();
    await remove(shop, license.id);
    await deletePolicy(shop.deps, shop.operator(), { id: policy.id, ...ANY });
    await deleteProduct(shop.deps, shop.operator(), { id: product.id, ...ANY });
    await expect(restore(shop, license.id)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringContaining(`product ${product.id}`) as string,
    });
    const again = { id: policy.id, ...ANY };
    expect(await outcomeOf(restorePolicy(shop.deps, shop.operator(), again))).toBe('CONFLICT');
    await restoreProduct(shop.deps, shop.operator(), { id: product.id, ...ANY });
    await expect(restore(shop, license.id)).rejects.toThrow(`policy ${policy.id}`);
    await restorePolicy(shop.deps, shop.operator(), again);
    expect((await restore(shop, license.id)).view.id).toBe(license.id);
  });

  it('counts against the limit of its tenant again', async () => {
    await using shop = await openShop();
    const { license, product, policy } = await shop.sell();
    await remove(shop, license.id);
    shop.storage.database.native.exec('UPDATE tenants SET max_licenses = 1');
    await shop.license({ productId: product.id, policyId: policy.id });
    expect(await outcomeOf(restore(shop, license.id))).toBe('TENANT_LIMIT');
  });

  it('is not there for whoever names a living one, another realm, or an old version', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    expect(await outcomeOf(restore(shop, license.id))).toBe('NOT_FOUND');
    await remove(shop, license.id);
    const request = { id: license.id, ...ANY, machines: true };
    const stranger = restoreLicense(shop.deps, shop.operator(shop.globex.live), request);
    expect(await outcomeOf(stranger)).toBe('NOT_FOUND');
    const stale = restoreLicense(shop.deps, shop.operator(), { ...request, versions: [1] });
    expect(await outcomeOf(stale)).toBe('PRECONDITION_FAILED');
    expect(await outcomeOf(restoreLicense(shop.deps, shop.operator(), { ...request, versions: [2] }))).toBe(
      'done',
    );
  });

  it('comes back once when many ask at once', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    await shop.activate(license.id, 'machine-one');
    await remove(shop, license.id);
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, () => outcomeOf(restore(shop, license.id))),
    );
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'NOT_FOUND')).toHaveLength(9);
  });
});

describe('deleted licences', () => {
  it('are listed for those who may restore them, and for nobody else', async () => {
    await using shop = await openShop();
    const { license, policy } = await shop.sell({}, { userEmail: 'jane@acme.example' });
    await shop.sell();
    await remove(shop, license.id);
    await deletePolicy(shop.deps, shop.operator(), { id: policy.id, ...ANY });
    const asked = { order: NEWEST, limit: 10, deleted: true };
    const writer = shop.secretKey(['licenses:read', 'licenses:write']);
    const rows = listLicenses(shop.deps, writer, asked);
    expect(rows.map(({ view }) => [view.id, view.deletedAt, view.userEmail])).toEqual([
      [license.id, '2026-06-01T12:00:00.000Z', 'j•••@acme.example'],
    ]);
    const byAddress = { ...asked, userEmail: 'jane@acme.example' };
    expect(listLicenses(shop.deps, writer, byAddress)).toHaveLength(1);
    expect(listLicenses(shop.deps, writer, { ...asked, userEmail: 'joe@acme.example' })).toEqual([]);
    expect(listLicenses(shop.deps, writer, { ...asked, deleted: false })).toHaveLength(1);
    expect(() => listLicenses(shop.deps, shop.secretKey(['licenses:read']), asked)).toThrow('licenses:write');
    expect(listLicenses(shop.deps, shop.operator(shop.globex.live), asked)).toEqual([]);
  });
});

describe('an entitlement of a deleted licence', () => {
  it('can be given and taken again once the licence is back', async () => {
    await using shop = await openShop();
    const { id: entitlementId } = await shop.entitlement('x');
    const { license } = await shop.sell({}, { entitlementIds: [entitlementId] });
    await remove(shop, license.id);
    const pair = { licenseId: license.id, entitlementId };
    expect(await outcomeOf(entitleLicense(shop.deps, shop.operator(), { ...pair, expiresAt: null }))).toBe(
      'NOT_FOUND',
    );
    await restore(shop, license.id);
    await disentitleLicense(shop.deps, shop.operator(), pair);
    expect(showLicense(shop.deps, shop.operator(), license.id).view.entitlements).toEqual([]);
  });
});
