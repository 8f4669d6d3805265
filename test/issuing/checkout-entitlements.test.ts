import { decodeJwt } from 'jose';
import { describe, expect, it } from 'vitest';
import { DAY, HOUR, isoTime, MINUTE } from '../../src/lib/clock.ts';
import { issueSignedKey } from '../../src/issuing/checkout.ts';
import { type CheckoutDeps, checkoutLicense } from '../../src/issuing/index.ts';
import { entitleLicense } from '../../src/licensing/licenses/entitle.ts';
import { entitlePolicy } from '../../src/licensing/policies/entitle.ts';
import { pinPublicKeys, verifyLicenseFile, verifySignedKey } from '../../src/verify/index.ts';
import { openShop, type Shop } from '../licensing/shop.ts';

const PLAIN = { form: 'file', encrypt: true, signed: null, raw: false, components: undefined } as const;
const UNBOUND = { requireFingerprint: false, offlineMaxDays: 90 } as const;

/** A licence with `pro` for so long, and `base` for good. */
async function sold(shop: Shop, proMs: number, settings: object = {}) {
  const [pro, base] = [await shop.entitlement('pro'), await shop.entitlement('base')];
  const own = [
    { id: pro.id, expiresAt: isoTime(shop.clock.wall() + proMs) },
    { id: base.id, expiresAt: null },
  ];
  return { pro, ...(await shop.sell({ ...UNBOUND, ...settings }, { ownEntitlements: own })) };
}

const checkout = (
  shop: Pick<Shop, 'operator'> & { readonly deps: CheckoutDeps },
  licenseId: string,
  asked = {},
) =>
  checkoutLicense(shop.deps, shop.operator(), {
    ...{ licenseId, fingerprint: null, ttlSeconds: undefined, ...PLAIN, ...asked },
  });

/** What an application that trusts the keys of the shop says. */
function optionsOf(shop: Shop, product: { readonly code: string }, key?: string) {
  const keys = shop.keyring.ofTenant(shop.acme.tenantId).filter(({ purpose }) => purpose === 'license');
  const license = keys.map(({ publicKey }) => publicKey.subarray(-32).toString('hex'));
  return { trust: pinPublicKeys({ license }), product: product.code, licenseKey: key };
}

const codesIn = (shop: Shop, given: Awaited<ReturnType<typeof sold>>, certificate: string) => {
  const options = { ...optionsOf(shop, given.product, given.license.key), now: shop.clock.wall() };
  const { code, entitlements } = verifyLicenseFile(certificate, options);
  return { code, entitlements: entitlements.map((entitlement) => entitlement.code) };
};

describe('a file with an entitlement that ends', () => {
  it('ends with it, and says why', async () => {
    await using shop = await openShop();
    const given = await sold(shop, 2 * DAY);
    const issued = await checkout(shop, given.license.id, { ttlSeconds: (30 * DAY) / 1000 });
    const ends = isoTime(shop.clock.wall() + 2 * DAY);
    expect(issued).toMatchObject({ expiresAt: ends, bound: 'entitlementExpiry' });
    const both = { code: 'VALID', entitlements: ['base', 'pro'] };
    expect(codesIn(shop, given, issued.certificate)).toEqual(both);
    shop.clock.advance(2 * DAY);
    expect(codesIn(shop, given, issued.certificate).code).toBe('EXPIRED');
    const next = await checkout(shop, given.license.id);
    expect(next).toMatchObject({ expiresAt: isoTime(shop.clock.wall() + 14 * DAY), bound: 'ttl' });
    expect(codesIn(shop, given, next.certificate)).toEqual({ code: 'VALID', entitlements: ['base'] });
  });

  it('ends with it as a token and as a signed key too', async () => {
    await using shop = await openShop();
    const { license, product } = await sold(shop, 2 * DAY);
    const ends = shop.clock.wall() + 2 * DAY;
    const token = await checkout(shop, license.id, { form: 'jwt', encrypt: false });
    expect(decodeJwt(token.certificate)).toMatchObject({
      exp: Math.floor(ends / 1000),
      entitlements: ['base', 'pro'],
    });
    const asked = { licenseId: license.id, ttlSeconds: undefined };
    const key = await issueSignedKey(shop.deps, shop.operator(), asked);
    const options = { ...optionsOf(shop, product), now: shop.clock.wall() };
    expect(verifySignedKey(key.certificate, options).signedKey).toMatchObject({
      expiresAtMs: ends,
      entitlements: ['base', 'pro'],
    });
  });

  it.each([
    { why: 'it ends within the hour', proMs: HOUR - MINUTE, ms: 14 * DAY, bound: 'ttl', codes: ['base'] },
    {
      why: 'it ends in an hour',
      proMs: HOUR,
      ms: HOUR,
      bound: 'entitlementExpiry',
      codes: ['base', 'pro'],
    },
    { why: 'it ends after the file', proMs: 20 * DAY, ms: 14 * DAY, bound: 'ttl', codes: ['base', 'pro'] },
  ])('is never cut below an hour: $why', async ({ proMs, ms, bound, codes }) => {
    await using shop = await openShop();
    const given = await sold(shop, proMs);
    const issued = await checkout(shop, given.license.id);
    expect(issued).toMatchObject({ expiresAt: isoTime(shop.clock.wall() + ms), bound });
    expect(codesIn(shop, given, issued.certificate).entitlements).toEqual(codes);
  });

  it('carries an entitlement that outlives a licence with less than an hour left', async () => {
    await using shop = await openShop();
    const given = await sold(shop, DAY + 45 * MINUTE, { durationDays: 1 });
    shop.clock.advance(DAY - 30 * MINUTE);
    const issued = await checkout(shop, given.license.id);
    const ends = isoTime(shop.clock.wall() + 30 * MINUTE);
    expect(issued).toMatchObject({ expiresAt: ends, bound: 'licenseExpiry' });
    expect(codesIn(shop, given, issued.certificate).entitlements).toEqual(['base', 'pro']);
  });

  it('is not bound by it when the policy gives the same for good', async () => {
    await using shop = await openShop();
    const given = await sold(shop, 2 * DAY);
    const pair = { policyId: given.policy.id, entitlementId: given.pro.id };
    await entitlePolicy(shop.deps, shop.operator(), pair);
    const issued = await checkout(shop, given.license.id);
    expect(issued).toMatchObject({ expiresAt: isoTime(shop.clock.wall() + 14 * DAY), bound: 'ttl' });
    expect(codesIn(shop, given, issued.certificate).entitlements).toEqual(['base', 'pro']);
  });
});

describe('an entitlement that changes while a file is signed', () => {
  /** The shop, with this happening once, before its first signature. */
  function meddled(shop: Shop, once: () => unknown): CheckoutDeps {
    let left = 1;
    const sign = async (kid: string, message: Buffer): Promise<Buffer> => {
      if (left-- > 0) await once();
      return shop.keyring.sign(kid, message);
    };
    return { ...shop.deps, signer: { sign } };
  }

  it('bounds the file with its new end', async () => {
    await using shop = await openShop();
    const given = await sold(shop, 10 * DAY);
    const ends = isoTime(shop.clock.wall() + DAY);
    const pair = { licenseId: given.license.id, entitlementId: given.pro.id };
    const deps = meddled(shop, () =>
      entitleLicense(shop.deps, shop.operator(), { ...pair, expiresAt: ends }),
    );
    const issued = await checkout({ operator: shop.operator, deps }, given.license.id);
    expect(issued).toMatchObject({ expiresAt: ends, bound: 'entitlementExpiry' });
  });

  it('is in no file when it has ended by then', async () => {
    await using shop = await openShop();
    const given = await sold(shop, HOUR);
    const deps = meddled(shop, () => shop.clock.advance(HOUR));
    const issued = await checkout({ operator: shop.operator, deps }, given.license.id);
    expect(issued).toMatchObject({ expiresAt: isoTime(shop.clock.wall() + 14 * DAY), bound: 'ttl' });
    expect(codesIn(shop, given, issued.certificate)).toEqual({ code: 'VALID', entitlements: ['base'] });
  });
});
