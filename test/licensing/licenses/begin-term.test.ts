import { describe, expect, it } from 'vitest';
import { DAY, isoTime } from '../../../src/lib/clock.ts';
import { deleteLicense } from '../../../src/licensing/licenses/delete.ts';
import { renewLicense } from '../../../src/licensing/licenses/renew.ts';
import { showLicense } from '../../../src/licensing/licenses/show.ts';
import { transferLicense } from '../../../src/licensing/licenses/transfer.ts';
import { changeStatus } from '../../../src/licensing/licenses/transition.ts';
import { updatePolicy } from '../../../src/licensing/policies/update.ts';
import { validateKey } from '../../../src/licensing/validation/validate-key.ts';
import { validateLicense } from '../../../src/licensing/validation/validate.ts';
import { openShop, outcomeOf, type Shop } from '../shop.ts';

const ANY = { versions: null };
const ON_VALIDATION = {
  expirationBasis: 'FROM_FIRST_VALIDATION',
  durationDays: 30,
  requireFingerprint: false,
} as const;
const ON_ACTIVATION = {
  expirationBasis: 'FROM_FIRST_ACTIVATION',
  durationDays: 30,
  maxMachines: 50,
} as const;
const PRINT = 'a-machine-of-ours';

const ask = (shop: Shop, key: string, fingerprint?: string) =>
  validateKey(shop.deps, shop.anonymous(), { input: { key, fingerprint }, address: '10.0.0.1' });
const shown = (shop: Shop, id: string) => showLicense(shop.deps, shop.operator(), id).view;
const started = (shop: Shop) => shop.actions().filter((action) => action === 'license.term_started').length;
const in30Days = (shop: Shop): string => isoTime(shop.clock.wall() + 30 * DAY);

describe('a term from the first validation', () => {
  it('waits for it, and the first valid one begins it durably and says the new expiry', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell(ON_VALIDATION);
    expect(license).toMatchObject({ status: 'active', expiresAt: null, startsOn: 'validation' });
    shop.clock.advance(400 * DAY);
    const until = in30Days(shop);
    expect(await ask(shop, license.key)).toMatchObject({ code: 'VALID', license: { expiresAt: until } });
    const row = shop.row('SELECT expires_at, starts_on, first_validated_at FROM licenses');
    expect(row).toEqual({
      expires_at: Date.parse(until),
      starts_on: null,
      first_validated_at: shop.clock.wall(),
    });
    expect(started(shop)).toBe(1);
    expect(shop.events().at(-1)).toBe('license.updated');
    shop.clock.advance(DAY);
    expect((await ask(shop, license.key)).license?.expiresAt).toBe(until);
    expect(started(shop)).toBe(1);
    await shop.deps.licenseUsage.flush();
    expect(shop.row('SELECT uses, validations FROM license_usage')).toEqual({ uses: 2, validations: 2 });
  });

  it('is begun once by many at once, and all of them are told the same expiry', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ ...ON_VALIDATION, maxUses: 30 });
    const calls = Array.from({ length: 40 }, () => ask(shop, license.key));
    const answers = await Promise.all(calls);
    expect(answers.filter(({ valid }) => valid)).toHaveLength(30);
    const expiries = answers.filter(({ valid }) => valid).map((answer) => answer.license?.expiresAt);
    expect(new Set(expiries)).toEqual(new Set([in30Days(shop)]));
    expect(started(shop)).toBe(1);
    expect(shop.row('SELECT version FROM licenses')).toEqual({ version: 2 });
  });

  it('is not begun by a validation that is not valid, nor by an activation', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ ...ON_VALIDATION, requireFingerprint: true });
    expect((await ask(shop, license.key)).code).toBe('FINGERPRINT_REQUIRED');
    await shop.activate(license.id, PRINT);
    expect(shown(shop, license.id)).toMatchObject({ startsOn: 'validation', expiresAt: null });
    await changeStatus(shop.deps, shop.operator(), { id: license.id, ...ANY, action: 'suspend' });
    expect((await ask(shop, license.key, PRINT)).code).toBe('SUSPENDED');
    expect(started(shop)).toBe(0);
    await changeStatus(shop.deps, shop.operator(), { id: license.id, ...ANY, action: 'reinstate' });
    expect((await ask(shop, license.key, PRINT)).license?.expiresAt).toBe(in30Days(shop));
  });

  it('lasts as long as the policy says when it begins, and a trial as long as a trial', async () => {
    await using shop = await openShop();
    const trial = { isTrial: true, trialDurationDays: 7 } as const;
    const { license, policy } = await shop.sell({ ...ON_VALIDATION, ...trial });
    const change = { trialDurationDays: 9 };
    await updatePolicy(shop.deps, shop.operator(), { id: policy.id, ...ANY, change });
    const answer = await validateLicense(shop.deps, shop.operator(), { id: license.id, input: {} });
    expect(answer.license?.expiresAt).toBe(isoTime(shop.clock.wall() + 9 * DAY));
  });

  it('is not begun for a licence that is deleted at the same moment', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell(ON_VALIDATION);
    const deleted = deleteLicense(shop.deps, shop.operator(), { id: license.id, ...ANY });
    const answer = ask(shop, license.key);
    await deleted;
    expect(await answer).toMatchObject({ valid: false, code: 'NOT_FOUND', license: null });
    expect(started(shop)).toBe(0);
  });
});

describe('a term from the first activation', () => {
  it('is begun once by many machines at once, with one event of the first', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell(ON_ACTIVATION);
    expect((await ask(shop, license.key, PRINT)).code).toBe('FINGERPRINT_NOT_FOUND');
    shop.clock.advance(10 * DAY);
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => shop.activate(license.id, `machine-no-${String(i)}`)),
    );
    expect(shown(shop, license.id)).toMatchObject({ startsOn: null, expiresAt: in30Days(shop) });
    expect(started(shop)).toBe(1);
    expect(shop.events().filter((type) => type === 'license.activated')).toHaveLength(1);
    expect(shop.row('SELECT first_activated_at AS at FROM licenses')).toEqual({ at: shop.clock.wall() });
  });

  it('is not begun by an activation that is refused', async () => {
    await using shop = await openShop();
    const unique = { fingerprintUniqueness: 'PER_REALM' } as const;
    const taken = await shop.sell({});
    await shop.activate(taken.license.id, PRINT);
    const { license } = await shop.sell({ ...ON_ACTIVATION, ...unique });
    expect(await outcomeOf(shop.activate(license.id, PRINT))).toBe('FINGERPRINT_TAKEN');
    expect(shown(shop, license.id).startsOn).toBe('activation');
  });
});

describe('what a licence is given itself', () => {
  it.each([
    ['a time', '2027-06-01T12:00:00Z', '2027-06-01T12:00:00.000Z'],
    ['null: for ever', null, null],
  ])('stands above the basis of its policy: %s', async (_, expiresAt, expected) => {
    await using shop = await openShop();
    const { license } = await shop.sell(ON_VALIDATION, { expiresAt });
    expect(license).toMatchObject({ startsOn: null, expiresAt: expected });
    await ask(shop, license.key);
    expect(shown(shop, license.id).expiresAt).toBe(expected);
    expect(started(shop)).toBe(0);
  });

  it('fixes a term that waited, when it is renewed to a time; days alone have nothing to count from', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell(ON_ACTIVATION);
    const renew = (by: object) => renewLicense(shop.deps, shop.operator(), { id: license.id, ...ANY, ...by });
    await expect(renew({ days: 3 })).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    const { view } = await renew({ expiresAt: '2027-01-01T00:00:00Z' });
    expect(view).toMatchObject({ startsOn: null, expiresAt: '2027-01-01T00:00:00.000Z' });
    await shop.activate(license.id, PRINT);
    expect(started(shop)).toBe(0);
  });
});

describe('a transfer', () => {
  it('keeps a term that waits, and does not wait again for what is behind the licence', async () => {
    await using shop = await openShop();
    const { license, product, policy } = await shop.sell(ON_ACTIVATION);
    const other = await shop.policy(product.id, { ...ON_ACTIVATION, durationDays: 90 });
    const to = (policyId: string, keepExpiry: boolean) =>
      transferLicense(shop.deps, shop.operator(), { id: license.id, ...ANY, policyId, keepExpiry });
    expect((await to(other.id, true)).view).toMatchObject({ startsOn: 'activation', expiresAt: null });
    expect((await to(policy.id, false)).view).toMatchObject({ startsOn: 'activation', expiresAt: null });
    await shop.activate(license.id, PRINT);
    shop.clock.advance(DAY);
    const anew = (await to(other.id, false)).view;
    expect(anew).toMatchObject({ startsOn: null, expiresAt: isoTime(shop.clock.wall() + 90 * DAY) });
  });
});
