import { describe, expect, it } from 'vitest';
import { openShop, outcomeOf, type Shop } from '../shop.ts';

/** A campaign asks for more: `LAST_SEAT_ROUNDS=1000`. */
const ROUNDS = Number(process.env['LAST_SEAT_ROUNDS'] ?? '20');
const SEATS = 10;
const CALLERS = 200;

/** What became of each of the callers, by code. */
async function race(shop: Shop, licenseId: string): Promise<Record<string, number>> {
  const calls = Array.from({ length: CALLERS }, (_, i) =>
    outcomeOf(shop.activate(licenseId, `machine-${String(i)}-of-the-race`)),
  );
  const outcomes = await Promise.all(calls);
  return Object.fromEntries([...new Set(outcomes)].map((o) => [o, outcomes.filter((x) => x === o).length]));
}

describe('the race for the last seats', () => {
  it(`gives ${String(SEATS)} of ${String(CALLERS)} callers a seat, in every round`, async () => {
    await using shop = await openShop();
    const { product, policy } = await shop.sell({ maxMachines: SEATS });
    for (let round = 0; round < ROUNDS; round++) {
      const license = await shop.license({ productId: product.id, policyId: policy.id });
      const outcomes = await race(shop, license.id);
      expect(outcomes).toEqual({ done: SEATS, MACHINE_LIMIT_EXCEEDED: CALLERS - SEATS });
    }
    expect(shop.row('SELECT max(seats) AS most FROM license_seats')).toEqual({ most: SEATS });
  });
});
