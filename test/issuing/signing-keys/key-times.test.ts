import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { SigningKey } from '../../../src/custody/index.ts';
import { changeKeys } from '../../../src/issuing/signing-keys/change-keys.ts';
import { announced } from '../../../src/issuing/signing-keys/key-plans.ts';
import {
  activateDueKeys,
  licenseKeysDue,
  remindOfKeys,
  rotateByAge,
} from '../../../src/issuing/signing-keys/key-times.ts';
import { verifyKeys } from '../../../src/issuing/signing-keys/verify-keys.ts';
import { DAY } from '../../../src/lib/clock.ts';
import { present } from '../../../src/lib/invariant.ts';
import { openShop, type Shop } from '../../licensing/shop.ts';

const isOf =
  (purpose: string) =>
  (key: SigningKey): boolean =>
    key.purpose === purpose;

const pending = (shop: Shop): string[] =>
  shop.keyring
    .list()
    .filter(({ state }) => state === 'pending')
    .map(({ purpose }) => purpose)
    .sort();

describe('time', () => {
  it('gives response, token and revocation keys a successor when they are old, and never a licence key or a root', async () => {
    await using shop = await openShop();
    await rotateByAge({ ...shop.deps, rotateMs: null });
    shop.clock.advance(400 * DAY - 1);
    await rotateByAge(shop.deps);
    expect(pending(shop)).toEqual([]);
    shop.clock.advance(1);
    await rotateByAge({ ...shop.deps, rotateMs: null });
    expect(pending(shop)).toEqual([]);
    await rotateByAge(shop.deps);
    await rotateByAge(shop.deps);
    const each = (purpose: string, times: number): string[] => Array.from({ length: times }, () => purpose);
    // Two tenants, with two realms each.
    const expected = [...each('response', 4), ...each('revocation', 2), ...each('token', 4)];
    expect(pending(shop)).toEqual(expected);
    shop.clock.advance(90 * DAY);
    await activateDueKeys(shop.deps);
    expect(pending(shop)).toEqual([]);
    await rotateByAge(shop.deps);
    expect(pending(shop)).toEqual([]);
  });

  it('reminds of a licence key after a year, and again a year later, once each', async () => {
    await using shop = await openShop();
    const told = (): number => shop.events().filter((type) => type === 'signing_key.rotation_due').length;
    await remindOfKeys(shop.deps);
    expect(told()).toBe(0);
    shop.clock.advance(365 * DAY);
    expect(licenseKeysDue(shop.deps).every(isOf('license'))).toBe(true);
    for (let run = 0; run < 3; run++) await remindOfKeys(shop.deps);
    expect(told()).toBe(4);
    shop.clock.advance(365 * DAY);
    await remindOfKeys(shop.deps);
    expect(told()).toBe(8);
  });
});

describe('a change that does not come to its commit', () => {
  it('leaves a private key that nothing names, and no trace in bundle, ledger and keyring', async () => {
    await using shop = await openShop();
    const token = present(shop.keyring.ofTenant(shop.acme.tenantId).find(isOf('token')), 'a token key');
    const seen = () => ({
      keys: shop.keyring.list(),
      rows: shop.rows('SELECT kid, state, version FROM signing_keys ORDER BY kid'),
      bundle: shop.row('SELECT bundle_seq, trust_bundle FROM tenants WHERE id = ?', shop.acme.tenantId),
      actions: shop.actions(),
      events: shop.events(),
    });
    const before = seen();
    const made = await shop.keyring.generate({ purpose: 'token', algorithm: 'ed25519' });
    const failing = changeKeys(shop.deps, shop.operator(), {
      tenantId: shop.acme.tenantId,
      plan: (_, at) => announced(made, token, { from: at, activates: true }),
      commit: () => {
        throw new Error('the power is gone');
      },
    });
    await expect(failing).rejects.toThrow('the power is gone');
    expect(seen()).toEqual(before);
    expect(readdirSync(shop.keyDirectory)).toContain(`${made.handle.kid}.key`);
    expect(new Set((await verifyKeys(shop.deps)).map(({ outcome }) => outcome))).toEqual(new Set(['proven']));
  });
});
