import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { SigningKey } from '../../../src/custody/index.ts';
import { checkoutLicense } from '../../../src/issuing/index.ts';
import { activateKey } from '../../../src/issuing/signing-keys/activate-key.ts';
import { generateKey } from '../../../src/issuing/signing-keys/generate-key.ts';
import { CONSEQUENCE } from '../../../src/issuing/signing-keys/key-plans.ts';
import { activateDueKeys } from '../../../src/issuing/signing-keys/key-times.ts';
import { retireKey } from '../../../src/issuing/signing-keys/retire-key.ts';
import { rotateKey } from '../../../src/issuing/signing-keys/rotate-key.ts';
import { DAY } from '../../../src/lib/clock.ts';
import { present } from '../../../src/lib/invariant.ts';
import { setKeyOfProduct } from '../../../src/licensing/products/set-key.ts';
import {
  rootFingerprint,
  type TrustBundle,
  type Verdict,
  verifyLicenseFile,
  verifyTrustBundle,
} from '../../../src/verify/index.ts';
import { openShop, outcomeOf, type Shop } from '../../licensing/shop.ts';

const DAY_SECONDS = 86_400;
/** Files that outlive a rotation. */
const UNBOUND = { requireFingerprint: false, offlineMaxDays: 365 };
const ANY = null;
const LATER = { now: false, versions: ANY } as const;
const NOW = { now: true, confirm: CONSEQUENCE, versions: ANY } as const;

function keyOf(shop: Shop, purpose: string, state = 'active'): SigningKey {
  const found = shop.keyring
    .ofTenant(shop.acme.tenantId)
    .find((key) => key.purpose === purpose && key.state === state && key.environment !== 'test');
  return present(found, `there is a ${purpose} key that is ${state}`);
}

/** The bundle that the appliance gives now, accepted by somebody who pins these roots. */
function bundleOf(shop: Shop, roots: readonly SigningKey[], held?: TrustBundle): TrustBundle {
  const pins = roots.map(({ publicKey }) => createHash('sha256').update(publicKey).digest('hex'));
  const answer = verifyTrustBundle(jwsOf(shop), { roots: pins, tenant: 'acme', held });
  expect(answer.message).toBe('accepted');
  return present(answer.trust, 'an accepted bundle');
}

function jwsOf(shop: Shop): string {
  const { jws } = shop.row('SELECT trust_bundle AS jws FROM tenants WHERE id = ?', shop.acme.tenantId) as {
    jws: string;
  };
  return jws;
}

function stateIn(bundle: TrustBundle, { kid }: SigningKey): string | undefined {
  return [...bundle.keys, ...bundle.roots].find((key) => key.kid === kid)?.state;
}

interface Issued {
  readonly text: string;
  readonly licenseKey: string;
  readonly product: string;
}

/** A licence file of a product, as the appliance issues it now. */
async function issue(shop: Shop, sold: Awaited<ReturnType<Shop['sell']>>): Promise<Issued> {
  const { license, product } = sold;
  const file = await checkoutLicense(shop.deps, shop.operator(), {
    ...{ licenseId: license.id, fingerprint: null, components: undefined, ttlSeconds: 200 * DAY_SECONDS },
    ...{ form: 'file', encrypt: true, signed: null, raw: false },
  });
  return {
    text: file.certificate,
    licenseKey: present(license.key, 'shown at creation'),
    product: product.code,
  };
}

function verdict(shop: Shop, trust: TrustBundle, { text, licenseKey, product }: Issued): Verdict {
  return verifyLicenseFile(text, { trust, product, licenseKey, now: shop.deps.time.now() });
}

describe('a rotation', () => {
  it('publishes the successor at once, and has it sign ninety days later', async () => {
    await using shop = await openShop();
    const old = keyOf(shop, 'response');
    const { key, bundleSeq, replaces } = await rotateKey(shop.deps, shop.operator(), {
      kid: old.kid,
      ...LATER,
    });
    expect([replaces, key.state, key.activatesAt]).toEqual([
      old.kid,
      'pending',
      shop.deps.time.now() + 90 * DAY,
    ]);
    const bundle = bundleOf(shop, [keyOf(shop, 'root')]);
    expect([bundle.seq, stateIn(bundle, key), stateIn(bundle, old)]).toEqual([
      bundleSeq,
      'pending',
      'active',
    ]);
    await activateDueKeys(shop.deps);
    expect(keyOf(shop, 'response').kid).toBe(old.kid);
    shop.clock.advance(90 * DAY);
    await activateDueKeys(shop.deps);
    expect(keyOf(shop, 'response').kid).toBe(key.kid);
    const next = bundleOf(shop, [keyOf(shop, 'root')], bundle);
    expect([stateIn(next, key), stateIn(next, old)]).toEqual(['active', 'retiring']);
    expect(shop.actions().slice(-3)).toEqual([
      'trust_bundle.published',
      'signing_key.retiring',
      'signing_key.activated',
    ]);
    expect(shop.events()).toEqual(['signing_key.created', 'signing_key.activated']);
  });

  it('is done now only by whoever types the consequence', async () => {
    await using shop = await openShop();
    const { kid } = keyOf(shop, 'token');
    const before = jwsOf(shop);
    for (const confirm of [undefined, '', CONSEQUENCE.toUpperCase()]) {
      const asked = rotateKey(shop.deps, shop.operator(), { kid, now: true, confirm, versions: ANY });
      await expect(asked).rejects.toMatchObject({ code: 'CONFIRMATION_REQUIRED' });
    }
    expect(jwsOf(shop)).toBe(before);
    const { key } = await rotateKey(shop.deps, shop.operator(), { kid, ...NOW });
    expect([keyOf(shop, 'token').kid, keyOf(shop, 'token', 'retiring').kid]).toEqual([key.kid, kid]);
    const { key: next } = await rotateKey(shop.deps, shop.operator(), { kid: key.kid, ...LATER });
    const early = { kid: next.kid, versions: ANY };
    expect(await outcomeOf(activateKey(shop.deps, shop.operator(), early))).toBe('CONFIRMATION_REQUIRED');
    const done = await activateKey(shop.deps, shop.operator(), { ...early, confirm: CONSEQUENCE });
    expect(done.key.notBefore).toBe(shop.deps.time.now());
  });

  it('has one successor waiting, however many ask', async () => {
    await using shop = await openShop();
    const { kid } = keyOf(shop, 'revocation');
    const ask = () => outcomeOf(rotateKey(shop.deps, shop.operator(), { kid, ...LATER }));
    expect((await Promise.all([ask(), ask(), ask()])).sort()).toEqual(['CONFLICT', 'CONFLICT', 'done']);
    expect(await outcomeOf(generateKey(shop.deps, shop.operator(), { purpose: 'revocation' }))).toBe(
      'CONFLICT',
    );
    const { key } = { key: keyOf(shop, 'revocation', 'pending') };
    await retireKey(shop.deps, shop.operator(), { kid: key.kid, versions: ANY });
    expect(await ask()).toBe('done');
  });

  it('of two at the same time on different keys loses neither', async () => {
    await using shop = await openShop();
    const kids = ['response', 'token', 'license'].map((purpose) => keyOf(shop, purpose).kid);
    await Promise.all(kids.map((kid) => rotateKey(shop.deps, shop.operator(), { kid, ...LATER })));
    const bundle = bundleOf(shop, [keyOf(shop, 'root')]);
    expect(bundle.keys.filter(({ state }) => state === 'pending')).toHaveLength(3);
    const told = shop.actions().filter((action) => action === 'trust_bundle.published');
    expect(told).toHaveLength(2 + 3);
  });

  it('answers who read an older version that it has changed', async () => {
    await using shop = await openShop();
    const { kid, version } = keyOf(shop, 'token');
    const stale = { kid, ...LATER, versions: [version + 1] };
    expect(await outcomeOf(rotateKey(shop.deps, shop.operator(), stale))).toBe('PRECONDITION_FAILED');
    expect(await outcomeOf(rotateKey(shop.deps, shop.operator(), { kid: 'A'.repeat(16), ...LATER }))).toBe(
      'NOT_FOUND',
    );
  });
});

describe('a licence key', () => {
  it('goes on signing for the products that name it, and rotation lists them', async () => {
    await using shop = await openShop();
    const sold = await shop.sell(UNBOUND);
    const old = keyOf(shop, 'license');
    const { key, products } = await rotateKey(shop.deps, shop.operator(), { kid: old.kid, ...NOW });
    expect(products.map(({ code }) => code)).toEqual([sold.product.code]);
    const young = await shop.sell(UNBOUND);
    const kids = async () =>
      Promise.all(
        [sold, young].map(async (one) => {
          const certificate = (await issue(shop, one)).text.split('\n').slice(1, -2).join('');
          return (JSON.parse(Buffer.from(certificate, 'base64').toString()) as { kid: string }).kid;
        }),
      );
    expect(await kids()).toEqual([old.kid, key.kid]);
    const early = retireKey(shop.deps, shop.operator(), { kid: old.kid, versions: ANY });
    await expect(early).rejects.toThrow(`signs for ${sold.product.code}`);
    await setKeyOfProduct(shop.deps, shop.operator(), { id: sold.product.id, kid: key.kid, versions: ANY });
    expect(await kids()).toEqual([key.kid, key.kid]);
    const retired = await retireKey(shop.deps, shop.operator(), { kid: old.kid, versions: ANY });
    expect(retired.key.notAfter).toBe(shop.deps.time.now());
    const back = setKeyOfProduct(shop.deps, shop.operator(), {
      id: sold.product.id,
      kid: old.kid,
      versions: ANY,
    });
    expect(await outcomeOf(back)).toBe('CONFLICT');
  });

  it('is not retired while a product comes back to it', async () => {
    await using shop = await openShop();
    const { product } = await shop.sell(UNBOUND);
    const old = keyOf(shop, 'license');
    const { key } = await rotateKey(shop.deps, shop.operator(), { kid: old.kid, ...NOW });
    const move = { id: product.id, versions: ANY };
    await setKeyOfProduct(shop.deps, shop.operator(), { ...move, kid: key.kid });
    // Both were allowed when they were asked; the bundle of the one is being signed while the other is stored.
    const retired = retireKey(shop.deps, shop.operator(), { kid: old.kid, versions: ANY });
    const back = setKeyOfProduct(shop.deps, shop.operator(), { ...move, kid: old.kid });
    const outcomes = await Promise.allSettled([retired, back]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(shop.keyring.find(old.kid)?.state).toBe('retiring');
  });

  it('of another environment or purpose is no key of a product', async () => {
    await using shop = await openShop();
    const { product } = await shop.sell(UNBOUND);
    const others = shop.keyring.list().filter(({ kid }) => kid !== keyOf(shop, 'license').kid);
    for (const { kid } of others) {
      const set = setKeyOfProduct(shop.deps, shop.operator(), { id: product.id, kid, versions: ANY });
      expect(await outcomeOf(set)).toBe('NOT_FOUND');
    }
  });

  it('and its successor verify with every bundle in which both were at least pending, while checkouts run', async () => {
    await using shop = await openShop();
    const root = keyOf(shop, 'root');
    const sold = [await shop.sell(UNBOUND), await shop.sell(UNBOUND)];
    const [staying, moving] = [present(sold[0], 'one'), present(sold[1], 'two')];
    const [files, bundles]: [Issued[], TrustBundle[]] = [[], []];
    let rotating = true;
    const checkouts = sold.map(async (one) => {
      while (rotating) files.push(await issue(shop, one));
    });
    const rotation = (async () => {
      const old = keyOf(shop, 'license');
      const { key } = await rotateKey(shop.deps, shop.operator(), { kid: old.kid, ...LATER });
      bundles.push(bundleOf(shop, [root]));
      shop.clock.advance(90 * DAY);
      await activateDueKeys(shop.deps);
      bundles.push(bundleOf(shop, [root], bundles.at(-1)));
      const moved = { id: moving.product.id, kid: key.kid, versions: ANY };
      await setKeyOfProduct(shop.deps, shop.operator(), moved);
      files.push(await issue(shop, moving), await issue(shop, staying));
      await setKeyOfProduct(shop.deps, shop.operator(), { ...moved, id: staying.product.id });
      await retireKey(shop.deps, shop.operator(), { kid: old.kid, versions: ANY });
      bundles.push(bundleOf(shop, [root], bundles.at(-1)));
      files.push(await issue(shop, staying));
      rotating = false;
      return [old.kid, key.kid];
    })();
    const [, ...kids] = await Promise.all([Promise.all(checkouts), rotation]).then(([, both]) => [
      0,
      ...both,
    ]);
    const verdicts = bundles.flatMap((trust) => files.map((file) => verdict(shop, trust, file)));
    expect(new Set(verdicts.map(({ code }) => code))).toEqual(new Set(['VALID']));
    expect(new Set(verdicts.map(({ content }) => content?.meta.kid))).toEqual(new Set(kids));
    expect(bundles).toHaveLength(3);
  });

  it('that is only announced verifies nothing dated before its day', async () => {
    await using shop = await openShop();
    const sold = await shop.sell(UNBOUND);
    const old = keyOf(shop, 'license');
    const { key } = await rotateKey(shop.deps, shop.operator(), { kid: old.kid, ...LATER });
    const announced = bundleOf(shop, [keyOf(shop, 'root')]);
    await activateKey(shop.deps, shop.operator(), { kid: key.kid, versions: ANY, confirm: CONSEQUENCE });
    await setKeyOfProduct(shop.deps, shop.operator(), { id: sold.product.id, kid: key.kid, versions: ANY });
    const file = await issue(shop, sold);
    expect(verdict(shop, announced, file).code).toBe('KEY_UNKNOWN');
    expect(verdict(shop, bundleOf(shop, [keyOf(shop, 'root')], announced), file).code).toBe('VALID');
  });
});

describe('a root', () => {
  it('and its standby take turns with bundles that both have signed', async () => {
    await using shop = await openShop();
    const first = keyOf(shop, 'root');
    const { key: standby } = await generateKey(shop.deps, shop.operator(), { purpose: 'root' });
    expect(standby.state).toBe('pending');
    const held = bundleOf(shop, [first]);
    await rotateKey(shop.deps, shop.operator(), { kid: first.kid, now: false, versions: ANY });
    expect(keyOf(shop, 'root').kid).toBe(standby.kid);
    expect(jwsOf(shop)).toMatch(/^\{"payload":/);
    // Who pins the old root, the new one, or holds the bundle that listed it, all go along.
    const both = bundleOf(shop, [first]);
    expect(bundleOf(shop, [standby]).seq).toBe(both.seq);
    expect(bundleOf(shop, [], held).seq).toBe(both.seq);
    // Also who has missed that bundle: the old root signs until it is retired.
    await rotateKey(shop.deps, shop.operator(), { kid: keyOf(shop, 'token').kid, ...LATER });
    expect(bundleOf(shop, [first]).seq).toBe(both.seq + 1);
    await retireKey(shop.deps, shop.operator(), { kid: first.kid, versions: ANY });
    expect(verifyTrustBundle(jwsOf(shop), { roots: [rootFingerprint({ ...first.jwk })] }).code).toBe(
      'KEY_UNKNOWN',
    );
    expect(bundleOf(shop, [], both).seq).toBe(both.seq + 2);
  });

  it('is replaced by a new one where there is no standby, and by one at a time', async () => {
    await using shop = await openShop();
    const first = keyOf(shop, 'root');
    const { key } = await rotateKey(shop.deps, shop.operator(), {
      kid: first.kid,
      now: false,
      versions: ANY,
    });
    expect([key.state, keyOf(shop, 'root').kid]).toEqual(['active', key.kid]);
    const again = rotateKey(shop.deps, shop.operator(), { kid: key.kid, now: false, versions: ANY });
    await expect(again).rejects.toThrow('is still retiring and signs every bundle');
    expect(
      bundleOf(shop, [first])
        .roots.map(({ state }) => state)
        .sort(),
    ).toEqual(['active', 'retiring']);
  });
});
