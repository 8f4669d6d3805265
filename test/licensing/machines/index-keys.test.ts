import { describe, expect, it } from 'vitest';
import { checkoutLicense } from '../../../src/issuing/checkout.ts';
import { DAY, isoTime } from '../../../src/lib/clock.ts';
import { deleteLicense } from '../../../src/licensing/licenses/delete.ts';
import { restoreLicense } from '../../../src/licensing/licenses/restore.ts';
import { deactivateMachine } from '../../../src/licensing/machines/deactivate.ts';
import { openShop, outcomeOf, type Shop } from '../shop.ts';

const PRINT = 'a-machine-of-ours';
const FILE = { encrypt: true, signed: null, raw: false, form: 'file' } as const;

const checkout = (shop: Shop, licenseId: string, days = 1) =>
  checkoutLicense(shop.deps, shop.operator(), {
    ...{ ...FILE, ttlSeconds: (days * DAY) / 1000 },
    ...{ licenseId, fingerprint: PRINT, components: undefined },
  });
const remove = (shop: Shop, id: string) =>
  deactivateMachine(shop.deps, shop.operator(), { id, versions: null, signed: null });
const seats = (shop: Shop): unknown => shop.row('SELECT seats FROM license_seats');

describe('once the index key was rotated', () => {
  it('a machine that left and came back holds its seat for the files of before', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxMachines: 1, floating: true });
    const { machineId } = await checkout(shop, license.id);
    const frees = isoTime(shop.clock.wall() + DAY);
    expect(await remove(shop, machineId ?? '')).toEqual({ freesAt: frees });
    shop.storage.rotateIndexKey();
    const { machine, created } = await shop.activate(license.id, PRINT);
    expect([created, seats(shop)]).toEqual([true, { seats: 1 }]);
    expect(await remove(shop, machine.id)).toEqual({ freesAt: frees });
    expect(seats(shop)).toEqual({ seats: 1 });
    expect(await outcomeOf(shop.activate(license.id, 'another-machine'))).toBe('MACHINE_LIMIT_EXCEEDED');
  });

  it('the file that lasts longest counts, whichever key its fingerprint was digested under', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxMachines: 1 });
    const frees = isoTime(shop.clock.wall() + 2 * DAY);
    const { machineId } = await checkout(shop, license.id, 2);
    await remove(shop, machineId ?? '');
    shop.storage.rotateIndexKey();
    const again = await checkout(shop, license.id);
    expect(again.machineId).not.toBe(machineId);
    expect(await remove(shop, again.machineId ?? '')).toEqual({ freesAt: frees });
  });

  it('a licence does not come back with a machine that is active under another by now', async () => {
    await using shop = await openShop();
    const { product, policy, license } = await shop.sell({ fingerprintUniqueness: 'PER_REALM' });
    await shop.activate(license.id, PRINT);
    await deleteLicense(shop.deps, shop.operator(), { id: license.id, versions: null });
    shop.storage.rotateIndexKey();
    const other = await shop.license({ productId: product.id, policyId: policy.id });
    await shop.activate(other.id, PRINT);
    const back = { id: license.id, versions: null, machines: true };
    expect(await outcomeOf(restoreLicense(shop.deps, shop.operator(), back))).toBe('FINGERPRINT_TAKEN');
  });
});
