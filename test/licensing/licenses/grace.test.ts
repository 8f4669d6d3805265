import { describe, expect, it } from 'vitest';
import { DAY, isoTime } from '../../../src/lib/clock.ts';
import { expireLicenses } from '../../../src/licensing/licenses/expire.ts';
import { takeHeartbeat } from '../../../src/licensing/machines/heartbeat.ts';
import { updatePolicy } from '../../../src/licensing/policies/update.ts';
import { explainLicense } from '../../../src/licensing/validation/explain.ts';
import { validateKey } from '../../../src/licensing/validation/validate-key.ts';
import { openShop, outcomeOf, type Shop } from '../shop.ts';

const TERM = { durationDays: 10, requireFingerprint: false } as const;
const PRINT = 'a-machine-of-ours';

const ask = (shop: Shop, key: string) =>
  validateKey(shop.deps, shop.anonymous(), { input: { key }, address: '10.0.0.1' });

/** What each strategy answers before, in and after 3 days of grace: valid, code, and whether a machine may come. */
const TABLE = [
  ['RESTRICT_ACCESS', 0, true, 'EXPIRED', 'done'],
  ['RESTRICT_ACCESS', 3 * DAY - 1, true, 'EXPIRED', 'done'],
  ['RESTRICT_ACCESS', 3 * DAY, false, 'EXPIRED', 'EXPIRED'],
  ['REVOKE', 3 * DAY - 1, true, 'EXPIRED', 'done'],
  ['REVOKE', 3 * DAY, false, 'EXPIRED', 'EXPIRED'],
  ['ALLOW_ACCESS', 0, true, 'EXPIRED', 'done'],
  ['ALLOW_ACCESS', 300 * DAY, true, 'EXPIRED', 'done'],
] as const;

describe('days of grace', () => {
  it.each(TABLE)('under %s, %i ms after expiry: valid %s, %s; activation %s', async (...row) => {
    const [expirationStrategy, after, valid, code, activation] = row;
    await using shop = await openShop();
    const { license } = await shop.sell({ ...TERM, expirationStrategy, graceDays: 3 });
    shop.clock.advance(10 * DAY + after);
    // Whether the sweep has written the state or not makes no difference.
    const unswept = await ask(shop, license.key);
    await expireLicenses(shop.deps, shop.acme.live);
    const swept = await ask(shop, license.key);
    expect(unswept).toMatchObject({ valid, code, findings: [code], license: { status: 'expired' } });
    expect(swept).toEqual(unswept);
    expect(await outcomeOf(shop.activate(license.id, PRINT))).toBe(activation);
  });

  it('are told by who explains the licence', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ ...TERM, graceDays: 3 });
    const until = shop.clock.wall() + 13 * DAY;
    const told = explainLicense(shop.deps, shop.operator(), { id: license.id, input: {} });
    expect(told.license.graceUntil).toBe(isoTime(until));
  });

  it('begin with the next validation when the policy is given them later', async () => {
    await using shop = await openShop();
    const { license, policy } = await shop.sell(TERM);
    shop.clock.advance(11 * DAY);
    expect((await ask(shop, license.key)).valid).toBe(false);
    const change = { graceDays: 2 };
    await updatePolicy(shop.deps, shop.operator(), { id: policy.id, versions: null, change });
    expect(await ask(shop, license.key)).toMatchObject({ valid: true, code: 'EXPIRED' });
  });

  it('let heartbeats go on', async () => {
    await using shop = await openShop();
    const beating = { requireHeartbeat: true, heartbeatIntervalMinutes: 60, graceDays: 3 };
    const { license } = await shop.sell({ ...TERM, ...beating });
    const { machine } = await shop.activate(license.id, PRINT);
    shop.clock.advance(11 * DAY);
    const { heartbeatDueAt } = await takeHeartbeat(shop.deps, shop.operator(), { id: machine.id });
    expect(heartbeatDueAt).not.toBeNull();
    const input = { key: license.key, fingerprint: PRINT };
    const answer = await validateKey(shop.deps, shop.anonymous(), { input, address: '10.0.0.1' });
    expect(answer).toMatchObject({ valid: true, code: 'EXPIRED', machine: { status: 'alive' } });
  });
});
