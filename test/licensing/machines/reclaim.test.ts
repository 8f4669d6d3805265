import { describe, expect, it } from 'vitest';
import { checkoutLicense } from '../../../src/issuing/checkout.ts';
import { DAY, MINUTE, SECOND } from '../../../src/lib/clock.ts';
import { takeHeartbeat } from '../../../src/licensing/machines/heartbeat.ts';
import { sweepHeartbeats } from '../../../src/licensing/machines/sweep-heartbeats.ts';
import { SWEEP_JOB } from '../../../src/licensing/machines/sweep-hold.ts';
import { openShop, outcomeOf, type Shop } from '../shop.ts';

/** A policy for pods: dead after two minutes. */
const PODS = { floating: true, requireHeartbeat: true, heartbeatIntervalMinutes: 1 } as const;
const PATIENCE = 2 * MINUTE;
const pod = (i: number): string => `pod-${String(i)}-of-the-deployment`;

async function deployed(shop: Shop, settings: object = {}, pods = 2) {
  const sold = await shop.sell({ ...PODS, maxMachines: pods, ...settings });
  const made = [];
  for (let i = 0; i < pods; i++) made.push((await shop.activate(sold.license.id, pod(i))).machine);
  return { ...sold, made };
}

const living = (shop: Shop): unknown =>
  shop.row('SELECT count(*) AS living FROM machines WHERE deleted_at IS NULL');

describe('a pod that comes back under another fingerprint', () => {
  it('gets the seat of the dead one at once, in the same unit', async () => {
    await using shop = await openShop();
    const { license, made } = await deployed(shop);
    shop.clock.advance(MINUTE);
    await takeHeartbeat(shop.deps, shop.holder(license.id), { id: made[0]?.id ?? '' });
    await shop.deps.machineUsage.flush();
    expect(await outcomeOf(shop.activate(license.id, pod(2)))).toBe('MACHINE_LIMIT_EXCEEDED');
    shop.clock.advance(MINUTE + 1);
    const entries = shop.actions().length;
    expect((await shop.activate(license.id, pod(2))).created).toBe(true);
    expect(shop.actions().slice(entries)).toEqual(['machine.deactivated', 'machine.activated']);
    expect(shop.events().slice(-3)).toEqual(['machine.dead', 'machine.deactivated', 'machine.activated']);
    const gone = shop.row('SELECT id FROM machines WHERE deleted_at IS NOT NULL');
    expect(gone).toEqual({ id: made[1]?.id });
    expect(shop.row('SELECT seats FROM license_seats')).toEqual({ seats: 2 });
  });

  it('takes no seat of one that was heard of, on disk or in memory alone', async () => {
    await using shop = await openShop();
    const { license, made } = await deployed(shop, {}, 1);
    shop.clock.advance(PATIENCE);
    await takeHeartbeat(shop.deps, shop.holder(license.id), { id: made[0]?.id ?? '' });
    shop.clock.advance(1);
    expect(await outcomeOf(shop.activate(license.id, pod(2)))).toBe('MACHINE_LIMIT_EXCEEDED');
    expect(living(shop)).toEqual({ living: 1 });
  });

  it('ends one dead pod for each that comes, and two that come at once get two', async () => {
    await using shop = await openShop();
    const { license } = await deployed(shop, {}, 3);
    shop.clock.advance(PATIENCE + 1);
    await shop.activate(license.id, pod(5));
    expect(living(shop)).toEqual({ living: 3 });
    const both = await Promise.all([6, 7, 8].map((i) => outcomeOf(shop.activate(license.id, pod(i)))));
    expect(both).toEqual(['done', 'done', 'MACHINE_LIMIT_EXCEEDED']);
    expect(living(shop)).toEqual({ living: 3 });
  });

  it('looks at no dead pod of another licence', async () => {
    await using shop = await openShop();
    const { product, policy } = await deployed(shop, {}, 1);
    const other = await shop.license({ productId: product.id, policyId: policy.id });
    await shop.activate(other.id, pod(8));
    shop.clock.advance(PATIENCE + 1);
    await shop.deps.machineUsage.flush();
    await takeHeartbeat(shop.deps, shop.holder(other.id), {
      id: (shop.row('SELECT id FROM machines WHERE license_id = ?', other.id) as { id: string }).id,
    });
    expect(await outcomeOf(shop.activate(other.id, pod(9)))).toBe('MACHINE_LIMIT_EXCEEDED');
    expect(living(shop)).toEqual({ living: 2 });
  });

  it('with seats per user takes the seat of a dead pod of the same user only', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ ...PODS, maxMachines: 1, machineLeasing: 'PER_USER' });
    await shop.activate(license.id, pod(0), { userEmail: 'a@acme.example' });
    shop.clock.advance(PATIENCE);
    const { machine } = await shop.activate(license.id, pod(1), { userEmail: 'b@acme.example' });
    shop.clock.advance(1);
    expect(await outcomeOf(shop.activate(license.id, pod(2), { userEmail: 'b@acme.example' }))).toBe(
      'MACHINE_LIMIT_EXCEEDED',
    );
    expect(await outcomeOf(shop.activate(license.id, pod(2), { userEmail: 'a@acme.example' }))).toBe('done');
    expect(shop.row('SELECT deleted_at AS gone FROM machines WHERE id = ?', machine.id)).toEqual({
      gone: null,
    });
  });
});

describe('a dead machine keeps its seat', () => {
  const cases: readonly (readonly [string, object, (shop: Shop) => void | Promise<void>])[] = [
    ['under KEEP_DEAD', { heartbeatCullStrategy: 'KEEP_DEAD' }, () => undefined],
    ['while the clock is not settled', {}, (shop) => void (shop.state.mayEnd = false)],
    ['when it was the appliance that was down', {}, (shop) => void (shop.state.readyAt = shop.clock.wall())],
    ['where no heartbeat is asked for', { requireHeartbeat: false }, () => undefined],
  ];
  it.each(cases)('%s', async (_when, settings, arrange) => {
    await using shop = await openShop();
    const { license } = await deployed(shop, settings, 1);
    shop.clock.advance(PATIENCE + 1);
    await arrange(shop);
    expect(await outcomeOf(shop.activate(license.id, pod(2)))).toBe('MACHINE_LIMIT_EXCEEDED');
    expect(living(shop)).toEqual({ living: 1 });
  });

  it('while a file of it is good: it can still run', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ ...PODS, maxMachines: 1, offlineAllowed: true });
    const asked = { licenseId: license.id, fingerprint: pod(0), components: undefined };
    const file = { ttlSeconds: 3600, encrypt: true, signed: null, raw: false, form: 'file' } as const;
    await checkoutLicense(shop.deps, shop.operator(), { ...asked, ...file });
    shop.clock.advance(PATIENCE + 1);
    expect(await outcomeOf(shop.activate(license.id, pod(2)))).toBe('MACHINE_LIMIT_EXCEEDED');
    // The sweep ends it, and its seat stays taken, floating or not.
    expect(await sweepHeartbeats(shop.deps, { job: SWEEP_JOB })).toEqual({ dead: 1, held: 0 });
    expect(await outcomeOf(shop.activate(license.id, pod(2)))).toBe('MACHINE_LIMIT_EXCEEDED');
    shop.clock.advance(3600 * SECOND);
    expect(await outcomeOf(shop.activate(license.id, pod(2)))).toBe('done');
  });

  it('while so many are overdue that the sweep is, or would be, held', async () => {
    await using shop = await openShop();
    const { license, product, policy } = await deployed(shop, {}, 5);
    for (let of = 1; of < 5; of++) {
      const other = await shop.license({ productId: product.id, policyId: policy.id });
      for (let i = 0; i < 4; i++) await shop.activate(other.id, pod(of * 100 + i));
    }
    shop.clock.advance(DAY);
    expect(await outcomeOf(shop.activate(license.id, pod(30)))).toBe('MACHINE_LIMIT_EXCEEDED');
    expect(await sweepHeartbeats(shop.deps, { job: SWEEP_JOB })).toEqual({ dead: 0, held: 1 });
    expect(await outcomeOf(shop.activate(license.id, pod(30)))).toBe('MACHINE_LIMIT_EXCEEDED');
    expect(living(shop)).toEqual({ living: 21 });
  });
});

describe('one licence with many dead machines', () => {
  it('keeps nobody from the seats of his own dead ones', async () => {
    await using shop = await openShop();
    const { license, product, policy } = await deployed(shop, {}, 30);
    const other = await shop.license({ productId: product.id, policyId: policy.id, maxMachinesOverride: 1 });
    await shop.activate(other.id, pod(100));
    shop.clock.advance(PATIENCE + 1);
    expect((await shop.activate(other.id, pod(101))).created).toBe(true);
    expect((await shop.activate(license.id, pod(31))).created).toBe(true);
  });
});

describe('a container that restarts in its pod', () => {
  it('keeps its seat: the fingerprint is the pod’s', async () => {
    await using shop = await openShop();
    const { license, made } = await deployed(shop, {}, 1);
    for (let i = 0; i < 5; i++) {
      shop.clock.advance(10 * SECOND);
      const { machine, created } = await shop.activate(license.id, pod(0), { platform: 'kubernetes' });
      expect([created, machine.id]).toEqual([false, made[0]?.id]);
    }
    expect(shop.row('SELECT seats FROM license_seats')).toEqual({ seats: 1 });
  });
});
