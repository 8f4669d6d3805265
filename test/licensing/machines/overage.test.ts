import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deactivateMachine } from '../../../src/licensing/machines/deactivate.ts';
import { seatsAllowed } from '../../../src/licensing/machines/seat-limit.ts';
import { validateLicense } from '../../../src/licensing/validation/validate.ts';
import { openShop, outcomeOf, type Shop } from '../shop.ts';

const print = (i: number): string => `machine-${String(i)}-of-many`;
const STRATEGIES = ['NO_OVERAGE', 'ALLOW_1_25X', 'ALLOW_1_5X', 'ALLOW_2X'] as const;
const told = (shop: Shop): unknown[] =>
  shop.rows(
    `SELECT json_extract(CAST(body AS TEXT), '$.data.seats') AS seats,
       json_extract(CAST(body AS TEXT), '$.data.limit') AS "limit",
       json_extract(CAST(body AS TEXT), '$.data.refusals') AS refusals
     FROM events WHERE type = 'license.limit_reached' ORDER BY position`,
  );

async function remove(shop: Shop, id: string): Promise<void> {
  await deactivateMachine(shop.deps, shop.operator(), { id, versions: null, signed: null });
}

describe('overage', () => {
  it('gives floor(limit × factor) seats to callers at the same moment, never one more', async () => {
    await using shop = await openShop();
    const cases = fc.record({
      strategy: fc.constantFrom(...STRATEGIES),
      limit: fc.integer({ min: 1, max: 9 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ strategy, limit }) => {
        const { license, policy } = await shop.sell({ maxMachines: limit, overageStrategy: strategy });
        const callers = Array.from({ length: 2 * limit + 3 }, (_, i) =>
          outcomeOf(shop.activate(license.id, print(i))),
        );
        const outcomes = await Promise.all(callers);
        const given = outcomes.filter((outcome) => outcome === 'done').length;
        expect(given).toBe(seatsAllowed(limit, policy));
        expect(new Set(outcomes)).toEqual(new Set(['done', 'MACHINE_LIMIT_EXCEEDED']));
      }),
      { numRuns: 12 },
    );
  });

  it('without end gives a seat to everybody', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxMachines: 1, overageStrategy: 'ALWAYS_ALLOW' });
    await Promise.all(Array.from({ length: 20 }, (_, i) => shop.activate(license.id, print(i))));
    expect(shop.row('SELECT seats FROM license_seats')).toEqual({ seats: 20 });
  });

  it('is said by validation, which stays valid', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxMachines: 1, overageStrategy: 'ALLOW_2X' });
    const ask = () =>
      validateLicense(shop.deps, shop.operator(), { id: license.id, input: { fingerprint: print(0) } });
    await shop.activate(license.id, print(0));
    expect(await ask()).toMatchObject({ valid: true, code: 'VALID' });
    await shop.activate(license.id, print(1));
    expect(await ask()).toMatchObject({ valid: true, code: 'MACHINE_LIMIT_EXCEEDED' });
  });

  it('is told once for each crossing of the limit, however many seats follow', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxMachines: 2, overageStrategy: 'ALLOW_2X', floating: true });
    const made = [];
    for (let i = 0; i < 4; i++) made.push((await shop.activate(license.id, print(i))).machine.id);
    expect(told(shop)).toEqual([{ seats: 3, limit: 'machines', refusals: 0 }]);
    for (const id of made.slice(2)) await remove(shop, id);
    await shop.activate(license.id, print(8));
    expect(told(shop)).toHaveLength(2);
  });

  it('ends where it ends: one more is refused and told as such', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxMachines: 1, overageStrategy: 'ALLOW_2X' });
    await shop.activate(license.id, print(0));
    await shop.activate(license.id, print(1));
    expect(await outcomeOf(shop.activate(license.id, print(2)))).toBe('MACHINE_LIMIT_EXCEEDED');
    expect(told(shop).at(-1)).toEqual({ seats: 2, limit: 'machines', refusals: 1 });
  });

  it('that a policy takes back takes no seat back', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxMachines: 1, overageStrategy: 'ALLOW_2X' });
    await shop.activate(license.id, print(0));
    await shop.activate(license.id, print(1));
    shop.storage.database.native.exec(
      `UPDATE policies SET settings = '{"maxMachines":1}', version = version + 1`,
    );
    const input = { fingerprint: print(1) };
    const asked = await validateLicense(shop.deps, shop.operator(), { id: license.id, input });
    expect(asked).toMatchObject({ valid: true, code: 'VALID' });
    expect(await outcomeOf(shop.activate(license.id, print(2)))).toBe('MACHINE_LIMIT_EXCEEDED');
  });
});

describe('the different machines of a licence’s life', () => {
  it('are never more than the policy says, for callers at the same moment', async () => {
    await using shop = await openShop();
    const settings = { maxMachines: null, allowUnlimitedActivations: true, maxUniqueFingerprints: 5 };
    const { license } = await shop.sell(settings);
    const callers = Array.from({ length: 30 }, (_, i) => outcomeOf(shop.activate(license.id, print(i))));
    const outcomes = await Promise.all(callers);
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(5);
    expect(outcomes.filter((outcome) => outcome === 'FINGERPRINT_LIMIT_EXCEEDED')).toHaveLength(25);
    expect(shop.row('SELECT seats, fingerprints FROM license_seats')).toEqual({ seats: 5, fingerprints: 5 });
    // What is refused in one commit is told of each; from then on once a minute.
    expect(new Set(told(shop).map((row) => JSON.stringify(row)))).toEqual(
      new Set([JSON.stringify({ seats: null, limit: 'fingerprints', refusals: 1 })]),
    );
    const before = told(shop).length;
    await outcomeOf(shop.activate(license.id, print(99)));
    expect(told(shop)).toHaveLength(before);
  });

  it('count those of before the policy counted, and none twice', async () => {
    await using shop = await openShop();
    const { license, product } = await shop.sell({ maxMachines: 1, floating: true });
    for (const i of [0, 1, 0, 1]) await remove(shop, (await shop.activate(license.id, print(i))).machine.id);
    const strict = await shop.policy(product.id, {
      maxMachines: 2,
      maxUniqueFingerprints: 2,
      floating: true,
    });
    shop.storage.database.native
      .prepare('UPDATE licenses SET policy_id = ?, version = version + 1')
      .run(strict.id);
    expect(await outcomeOf(shop.activate(license.id, print(2)))).toBe('FINGERPRINT_LIMIT_EXCEEDED');
    expect((await shop.activate(license.id, print(1))).created).toBe(true);
    expect(shop.row('SELECT fingerprints FROM license_seats')).toEqual({ fingerprints: 2 });
  });

  it('leave no seat and no fingerprint behind when the one more is refused', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxMachines: 2, maxUniqueFingerprints: 3 });
    for (const i of [0, 1]) await shop.activate(license.id, print(i));
    expect(await outcomeOf(shop.activate(license.id, print(2)))).toBe('MACHINE_LIMIT_EXCEEDED');
    expect(shop.row('SELECT seats, fingerprints FROM license_seats')).toEqual({ seats: 2, fingerprints: 2 });
  });
});
