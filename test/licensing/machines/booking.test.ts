import { describe, expect, it } from 'vitest';
import { DAY, MINUTE } from '../../../src/lib/clock.ts';
import { createLicense } from '../../../src/licensing/licenses/create.ts';
import { transferLicense } from '../../../src/licensing/licenses/transfer.ts';
import { activateMachine } from '../../../src/licensing/machines/activate.ts';
import { bookAnew, BOOKING_JOB, bookHeartbeats } from '../../../src/licensing/machines/book-heartbeats.ts';
import { deactivateMachine } from '../../../src/licensing/machines/deactivate.ts';
import { takeHeartbeat } from '../../../src/licensing/machines/heartbeat.ts';
import { sweepHeartbeats } from '../../../src/licensing/machines/sweep-heartbeats.ts';
import { SWEEP_JOB } from '../../../src/licensing/machines/sweep-hold.ts';
import type { PolicyPatch } from '../../../src/licensing/policies/policy-schema.ts';
import { updatePolicy } from '../../../src/licensing/policies/update.ts';
import { openShop, outcomeOf, type Shop } from '../shop.ts';

const HOURLY = { requireHeartbeat: true, heartbeatIntervalMinutes: 60 };
const EACH_MINUTE = { requireHeartbeat: true, heartbeatIntervalMinutes: 1 };
/** Interval and slack of `EACH_MINUTE`. */
const PATIENCE = 2 * MINUTE;

const sweep = (shop: Shop) => sweepHeartbeats(shop.deps, { job: SWEEP_JOB });
const book = (shop: Shop) => bookHeartbeats(shop.deps, shop.acme.live);
const change = (shop: Shop, id: string, patch: PolicyPatch) =>
  updatePolicy(shop.deps, shop.operator(), { id, change: patch, versions: null });
const due = (shop: Shop): unknown[] =>
  shop.rows('SELECT heartbeat_due AS due FROM machine_usage').map((row) => (row as { due: unknown }).due);

/** A licence with one machine under a policy with these settings. */
async function sold(shop: Shop, settings: object) {
  const sale = await shop.sell({ maxMachines: 1, ...settings });
  const { machine } = await shop.activate(sale.license.id, 'a-machine-of-ours');
  return { ...sale, machine };
}

describe('a policy that asks for heartbeats from now on', () => {
  it('gives machines that sent none one interval, and has them swept after it', async () => {
    await using shop = await openShop();
    const { policy } = await sold(shop, {});
    shop.clock.advance(30 * DAY);
    await change(shop, policy.id, EACH_MINUTE);
    expect(await sweep(shop)).toEqual({ dead: 0, held: 0 });
    expect(due(shop)).toEqual([shop.clock.wall() + PATIENCE]);
    shop.clock.advance(PATIENCE + 1);
    expect(await sweep(shop)).toEqual({ dead: 1, held: 0 });
  });

  it('has the seats of dead machines taken by the living', async () => {
    await using shop = await openShop();
    const { policy, license } = await sold(shop, {});
    await change(shop, policy.id, { ...EACH_MINUTE, floating: true });
    expect(await outcomeOf(shop.activate(license.id, 'another-machine'))).toBe('MACHINE_LIMIT_EXCEEDED');
    await sweep(shop);
    shop.clock.advance(PATIENCE + 1);
    expect(await outcomeOf(shop.activate(license.id, 'another-machine'))).toBe('done');
  });

  it('touches no machine of another policy, and none that is removed', async () => {
    await using shop = await openShop();
    const { policy, machine } = await sold(shop, {});
    await sold(shop, {});
    await deactivateMachine(shop.deps, shop.operator(), { id: machine.id, versions: null, signed: null });
    await change(shop, policy.id, EACH_MINUTE);
    expect(await book(shop)).toBe(1);
    expect(due(shop)).toEqual([null, null]);
  });
});

describe('a policy with a shorter interval', () => {
  it('has its machines judged by it, and not by what was booked before', async () => {
    await using shop = await openShop();
    const { policy } = await sold(shop, HOURLY);
    await change(shop, policy.id, EACH_MINUTE);
    await sweep(shop);
    shop.clock.advance(PATIENCE + 1);
    expect((await sweep(shop)).dead).toBe(1);
  });

  it('is not overtaken by a heartbeat that was taken before, and is written behind', async () => {
    await using shop = await openShop();
    const { policy, machine } = await sold(shop, HOURLY);
    await takeHeartbeat(shop.deps, shop.operator(), machine);
    await change(shop, policy.id, EACH_MINUTE);
    await book(shop);
    await shop.deps.machineUsage.flush();
    expect(due(shop)).toEqual([shop.clock.wall() + PATIENCE]);
  });

  it.each<[string, PolicyPatch]>([
    ['a longer interval', { heartbeatIntervalMinutes: 90 }],
    ['another name', { name: 'Other' }],
    ['no heartbeat any more', { requireHeartbeat: false }],
  ])('is no policy with %s: nothing is to be booked', async (_, patch) => {
    await using shop = await openShop();
    const { policy } = await sold(shop, HOURLY);
    await change(shop, policy.id, patch);
    expect(await book(shop)).toBe(0);
  });
});

describe('a licence', () => {
  it('that goes to a policy with heartbeats has its machines waited for', async () => {
    await using shop = await openShop();
    const { license, product } = await sold(shop, {});
    const { id: policyId } = await shop.policy(product.id, EACH_MINUTE);
    const request = { id: license.id, policyId, keepExpiry: true, versions: null };
    await transferLicense(shop.deps, shop.operator(), request);
    await sweep(shop);
    expect(due(shop)).toEqual([shop.clock.wall() + PATIENCE]);
  });
});

describe('booking anew', () => {
  it('goes through all machines in pages, and goes on where a stop left it', async () => {
    await using shop = await openShop();
    const { policy } = await crowd(shop, 300);
    await change(shop, policy.id, EACH_MINUTE);
    let units = 0;
    const stopping = {
      ...shop.deps,
      work: {
        read: shop.deps.work.read,
        keep: ((...unit: Parameters<typeof shop.deps.work.keep>) => {
          if (units === 1) throw new Error('stopped');
          units += 1;
          return shop.deps.work.keep(...unit);
        }) as typeof shop.deps.work.keep, // generic in what a unit returns; handed on
      },
    };
    await expect(bookHeartbeats(stopping, shop.acme.live)).rejects.toThrow('stopped');
    expect(due(shop).filter((at) => at !== null)).toHaveLength(250);
    expect(await book(shop)).toBe(1);
    expect(due(shop).filter((at) => at !== null)).toHaveLength(300);
    expect(await book(shop)).toBe(0);
  });

  it('that is asked for while it is under way goes round once more to where it was', async () => {
    await using shop = await openShop();
    const { policy } = await crowd(shop, 3);
    await change(shop, policy.id, EACH_MINUTE);
    const ids = shop.rows('SELECT machine_id AS id FROM machine_usage ORDER BY 1') as { id: string }[];
    const left = (): unknown => JSON.parse(String(state(shop)));
    const middle = String(ids[1]?.id);
    await shop.deps.work.keep(BOOKING_JOB, (tx) => {
      writeState(shop, JSON.stringify([[middle, '~']]));
      bookAnew(tx, shop.acme.live);
    });
    expect(left()).toEqual([
      [middle, '~'],
      ['', middle],
    ]);
    expect(await book(shop)).toBe(2);
    expect(due(shop)).toEqual(Array(3).fill(shop.clock.wall() + PATIENCE));
    expect(left()).toEqual([]);
  });
});

describe('a heartbeat that is written after its machine was removed', () => {
  it('leaves nothing to be waited for', async () => {
    await using shop = await openShop();
    const { machine } = await sold(shop, HOURLY);
    await takeHeartbeat(shop.deps, shop.operator(), machine);
    await deactivateMachine(shop.deps, shop.operator(), { id: machine.id, versions: null, signed: null });
    await shop.deps.machineUsage.flush();
    expect(due(shop)).toEqual([null]);
  });
});

/** A licence with so many machines that send no heartbeats. */
async function crowd(shop: Shop, count: number) {
  const product = await shop.product('crowd');
  const policy = await shop.policy(product.id, { maxMachines: count });
  const names = { productId: product.id, policyId: policy.id };
  const { id: licenseId } = await createLicense(shop.deps, shop.operator(), names);
  for (let number = 0; number < count; number++) {
    const input = { fingerprint: `machine-${String(number)}-of-many` };
    await activateMachine(shop.deps, shop.operator(), { licenseId, input });
  }
  return { policy };
}

const KEY = 'SELECT state FROM job_state WHERE job LIKE ?';
const state = (shop: Shop): unknown => (shop.row(KEY, `${BOOKING_JOB}%`) as { state: string }).state;

function writeState(shop: Shop, text: string): void {
  const sql = 'UPDATE job_state SET state = ? WHERE job LIKE ?';
  shop.storage.database.native.prepare(sql).run(text, `${BOOKING_JOB}%`);
}
