import { describe, expect, it } from 'vitest';
import { checkoutMachine } from '../../../src/issuing/index.ts';
import { DAY, HOUR } from '../../../src/lib/clock.ts';
import { analyticsAnswer, type AnalyticsView } from '../../../src/licensing/analytics/analytics-schema.ts';
import { analyticsJobs } from '../../../src/licensing/analytics/jobs.ts';
import { readAnalytics } from '../../../src/licensing/analytics/read-analytics.ts';
import { deleteLicense } from '../../../src/licensing/licenses/delete.ts';
import { expireLicenses } from '../../../src/licensing/licenses/expire.ts';
import { changeStatus, type PlainAction } from '../../../src/licensing/licenses/transition.ts';
import { deactivateMachine } from '../../../src/licensing/machines/deactivate.ts';
import { takeHeartbeat } from '../../../src/licensing/machines/heartbeat.ts';
import { sweepHeartbeats } from '../../../src/licensing/machines/sweep-heartbeats.ts';
import { SWEEP_JOB } from '../../../src/licensing/machines/sweep-hold.ts';
import { validateKey } from '../../../src/licensing/validation/validate-key.ts';
import { openShop, type Shop } from '../shop.ts';

const FILE = { ttlSeconds: undefined, form: 'file', encrypt: true, signed: null, raw: false } as const;

function read(shop: Shop, realm = shop.acme.live): AnalyticsView {
  const view = readAnalytics(shop.deps, shop.operator(realm));
  expect(analyticsAnswer.parse(view)).toEqual(view);
  return view;
}

async function act(shop: Shop, id: string, action: PlainAction): Promise<void> {
  await changeStatus(shop.deps, shop.operator(), { id, action, versions: null });
}

/** A product, a policy, and so many licences under it. */
async function licences(shop: Shop, count: number): Promise<string[]> {
  const { product, policy, license } = await shop.sell();
  const input = { productId: product.id, policyId: policy.id };
  const more = await Promise.all(Array.from({ length: count - 1 }, () => shop.license(input)));
  return [license.id, ...more.map(({ id }) => id)];
}

describe('licences by status', () => {
  it('follow every change of state, and forget what was deleted', async () => {
    await using shop = await openShop();
    expect(read(shop).licenses).toEqual({
      total: 0,
      byStatus: { active: 0, suspended: 0, expired: 0, revoked: 0, banned: 0 },
    });
    const [a = '', b = '', c = '', d = '', e = ''] = await licences(shop, 6);
    await act(shop, a, 'suspend');
    await act(shop, b, 'suspend');
    await act(shop, b, 'reinstate');
    await act(shop, c, 'revoke');
    await act(shop, d, 'ban');
    await deleteLicense(shop.deps, shop.operator(), { id: e, versions: null });
    const byStatus = { active: 2, suspended: 1, expired: 0, revoked: 1, banned: 1 };
    expect(read(shop).licenses).toEqual({ total: 5, byStatus });
    await deleteLicense(shop.deps, shop.operator(), { id: a, versions: null });
    expect(read(shop).licenses).toEqual({ total: 4, byStatus: { ...byStatus, suspended: 0 } });
  });

  it('count a licence as expired from its very time, and once', async () => {
    await using shop = await openShop();
    const { product, policy } = await shop.sell({ durationDays: 1 });
    await shop.license({ productId: product.id, policyId: policy.id, expiresAt: null });
    shop.clock.advance(DAY);
    expect(read(shop).licenses.byStatus).toMatchObject({ active: 1, expired: 1 });
    expect(await expireLicenses(shop.deps, shop.acme.live)).toBe(1);
    expect(read(shop).licenses.byStatus).toMatchObject({ active: 1, expired: 1 });
  });
});

describe('machines', () => {
  it('are alive or dead, and gone when they are removed', async () => {
    await using shop = await openShop();
    const beating = { requireHeartbeat: true, heartbeatIntervalMinutes: 60 };
    const { license } = await shop.sell({ ...beating, heartbeatCullStrategy: 'KEEP_DEAD' });
    const { machine: first } = await shop.activate(license.id, 'machine-one');
    const { machine: second } = await shop.activate(license.id, 'machine-two');
    expect(read(shop).machines).toEqual({ total: 2, alive: 2, dead: 0 });
    shop.clock.advance(2 * HOUR);
    await sweepHeartbeats(shop.deps, { job: SWEEP_JOB });
    expect(read(shop).machines).toEqual({ total: 2, alive: 0, dead: 2 });
    await takeHeartbeat(shop.deps, shop.operator(), first);
    expect(read(shop).machines).toEqual({ total: 2, alive: 1, dead: 1 });
    const gone = { id: second.id, versions: null, signed: null };
    await deactivateMachine(shop.deps, shop.operator(), gone);
    expect(read(shop).machines).toEqual({ total: 1, alive: 1, dead: 0 });
  });

  it('are counted on the day of their activation, also when they have been removed since', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxMachines: 5 });
    const { machine } = await shop.activate(license.id, 'machine-one');
    await deactivateMachine(shop.deps, shop.operator(), { id: machine.id, versions: null, signed: null });
    shop.clock.advance(2 * DAY);
    await shop.activate(license.id, 'machine-two');
    await shop.activate(license.id, 'machine-three');
    await shop.activate(license.id, 'machine-three');
    const { activations } = read(shop);
    expect(activations).toHaveLength(30);
    expect(activations.slice(-3)).toEqual([
      { date: '2026-06-01', count: 1 },
      { date: '2026-06-02', count: 0 },
      { date: '2026-06-03', count: 2 },
    ]);
    shop.clock.advance(28 * DAY);
    expect(read(shop).activations[0]).toEqual({ date: '2026-06-02', count: 0 });
  });
});

describe('seats', () => {
  it('are those in use under each product, the most used first', async () => {
    await using shop = await openShop();
    const small = await shop.sell({ maxMachines: 5 });
    const large = await shop.sell({ maxMachines: 5 });
    const { machine } = await shop.activate(small.license.id, 'machine-one');
    await shop.activate(large.license.id, 'machine-two');
    await shop.activate(large.license.id, 'machine-three');
    const row = ({ product }: typeof small, used: number) => ({
      productId: product.id,
      productCode: product.code,
      used,
    });
    expect(read(shop).seats).toEqual([row(large, 2), row(small, 1)]);
    await deactivateMachine(shop.deps, shop.operator(), { id: machine.id, versions: null, signed: null });
    await deleteLicense(shop.deps, shop.operator(), { id: large.license.id, versions: null });
    expect(read(shop).seats.map(({ used }) => used)).toEqual([0, 0]);
  });
});

describe('files', () => {
  it('are outstanding until they expire, to the millisecond', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    const { machine } = await shop.activate(license.id, 'machine-one');
    const request = { machineId: machine.id, ...FILE, ttlSeconds: 3600 };
    await checkoutMachine(shop.deps, shop.operator(), request);
    await checkoutMachine(shop.deps, shop.operator(), { ...request, ttlSeconds: (2 * DAY) / 1000 });
    expect(read(shop).files).toEqual({ outstanding: 2 });
    shop.clock.advance(HOUR - 1);
    expect(read(shop).files).toEqual({ outstanding: 2 });
    shop.clock.advance(1);
    expect(read(shop).files).toEqual({ outstanding: 1 });
    shop.clock.advance(2 * DAY - HOUR - 1);
    expect(read(shop).files).toEqual({ outstanding: 1 });
    shop.clock.advance(1);
    expect(read(shop).files).toEqual({ outstanding: 0 });
  });
});

describe('validations', () => {
  it('are counted by code, before they are on disk and after', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ requireFingerprint: false });
    const limited = await shop.sell({ requireFingerprint: false, maxUses: 1 });
    const ask = (key: string) =>
      validateKey(shop.deps, shop.publishableKey(), { input: { key }, address: '127.0.0.1' });
    for (const key of [license.key, license.key, limited.license.key, limited.license.key]) await ask(key);
    await ask('APP-0000-0000-0000-0000');
    const counted = { VALID: 3, USES_EXCEEDED: 1, NOT_FOUND: 1 };
    expect(read(shop).validations).toMatchObject({ total: 5, byCode: counted });
    await shop.deps.validationCounts.flush();
    expect(read(shop).validations).toMatchObject({ total: 5, byCode: counted });
    await ask(license.key);
    expect(read(shop).validations).toMatchObject({ total: 6, byCode: { ...counted, VALID: 4 } });
    shop.clock.advance(30 * DAY);
    await shop.deps.validationCounts.flush();
    expect(read(shop).validations.total).toBe(0);
  });

  it('of an unknown key without a credential belong to no realm', async () => {
    await using shop = await openShop();
    const input = { key: 'APP-0000-0000-0000-0000' };
    await validateKey(shop.deps, shop.anonymous(), { input, address: '127.0.0.1' });
    for (const realm of shop.deps.realms()) expect(read(shop, realm).validations.total).toBe(0);
  });
});

describe('analytics', () => {
  it('of one realm say nothing of another', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    await shop.activate(license.id, 'machine-one');
    for (const realm of [shop.acme.test, shop.globex.live]) {
      const { licenses, machines, seats, activations } = read(shop, realm);
      expect([licenses.total, machines.total, seats]).toEqual([0, 0, []]);
      expect(activations.every(({ count }) => count === 0)).toBe(true);
    }
  });

  it('forget days that nobody is shown any more', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    await shop.activate(license.id, 'machine-one');
    const [purge] = analyticsJobs({ ...shop.deps, mayRunJobs: () => true });
    const days = (): unknown[] => shop.rows('SELECT day FROM day_counts');
    shop.clock.advance(90 * DAY);
    await purge?.run();
    expect(days()).toHaveLength(1);
    shop.clock.advance(DAY);
    await purge?.run();
    expect(days()).toEqual([]);
  });
});
