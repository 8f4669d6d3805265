import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { SigningKey } from '../../../src/custody/index.ts';
import { checkoutLicense } from '../../../src/issuing/index.ts';
import { compromiseKey } from '../../../src/issuing/signing-keys/compromise-key.ts';
import { generateKey } from '../../../src/issuing/signing-keys/generate-key.ts';
import { type Affected, listAffected } from '../../../src/issuing/signing-keys/list-affected.ts';
import { rotateKey } from '../../../src/issuing/signing-keys/rotate-key.ts';
import { DAY } from '../../../src/lib/clock.ts';
import { present } from '../../../src/lib/invariant.ts';
import { verifyTrustBundle } from '../../../src/verify/index.ts';
import { openShop, outcomeOf, type Shop } from '../../licensing/shop.ts';

const UNBOUND = { requireFingerprint: false };
const ANY = { versions: null } as const;

function keyOf(shop: Shop, purpose: string, state = 'active'): SigningKey {
  const found = shop.keyring
    .ofTenant(shop.acme.tenantId)
    .find((key) => key.purpose === purpose && key.state === state && key.environment !== 'test');
  return present(found, `there is a ${purpose} key that is ${state}`);
}

function verified(shop: Shop, pin: SigningKey) {
  const { jws } = shop.row('SELECT trust_bundle AS jws FROM tenants WHERE id = ?', shop.acme.tenantId) as {
    jws: string;
  };
  const fingerprint = createHash('sha256').update(pin.publicKey).digest('hex');
  return verifyTrustBundle(jws, { roots: [fingerprint] });
}

const issue = (shop: Shop, licenseId: string, fingerprint: string | null = null) =>
  checkoutLicense(shop.deps, shop.operator(), {
    ...{ licenseId, fingerprint, components: undefined, ttlSeconds: undefined },
    ...{ form: 'file', encrypt: true, signed: null, raw: false },
  });

describe('a licence key that is compromised', () => {
  it('signs nothing more; a successor signs at once, also for the products that named it', async () => {
    await using shop = await openShop();
    const { product, license } = await shop.sell(UNBOUND);
    const lost = keyOf(shop, 'license');
    const since = shop.deps.time.now() - DAY;
    const done = await compromiseKey(shop.deps, shop.operator(), { kid: lost.kid, since, ...ANY });
    expect(done).toMatchObject({ productsMoved: 1, key: { state: 'compromised', compromisedSince: since } });
    const successor = keyOf(shop, 'license');
    expect(done.successor?.kid).toBe(successor.kid);
    await expect(shop.keyring.sign(lost.kid, Buffer.from('license/x'))).rejects.toThrow('is compromised');
    await issue(shop, license.id);
    expect(shop.rows('SELECT kid FROM issued_files')).toEqual([{ kid: successor.kid }]);
    const states = verified(shop, keyOf(shop, 'root')).trust?.keys.map(({ kid, state }) => [kid, state]);
    expect(states).toContainEqual([lost.kid, 'compromised']);
    expect(states).toContainEqual([successor.kid, 'active']);
    const stored = 'SELECT state, compromised_since AS since FROM signing_keys WHERE kid = ?';
    expect(shop.row(stored, lost.kid)).toEqual({ state: 'compromised', since });
    expect(shop.actions()).toContain('product.key_changed');
    expect(shop.events()).toContain('signing_key.compromised');
    expect(shop.row('SELECT signing_kid AS kid FROM products WHERE id = ?', product.id)).toEqual({
      kid: successor.kid,
    });
  });

  it('is succeeded by the key that was announced, if there is one', async () => {
    await using shop = await openShop();
    const { kid } = keyOf(shop, 'license');
    const { key } = await rotateKey(shop.deps, shop.operator(), { kid, now: false, ...ANY });
    const since = shop.deps.time.now();
    const done = await compromiseKey(shop.deps, shop.operator(), { kid, since, ...ANY });
    expect(done.successor).toMatchObject({ kid: key.kid, state: 'active', notBefore: since });
    expect(await outcomeOf(compromiseKey(shop.deps, shop.operator(), { kid, since, ...ANY }))).toBe(
      'CONFLICT',
    );
  });

  it('while it only signs for old products moves these to the key in force', async () => {
    await using shop = await openShop();
    await shop.sell(UNBOUND);
    const { kid } = keyOf(shop, 'license');
    const confirm = 'verifiers without the newest trust bundle refuse what this key signs';
    await rotateKey(shop.deps, shop.operator(), { kid, now: true, confirm, ...ANY });
    const since = shop.deps.time.now();
    const done = await compromiseKey(shop.deps, shop.operator(), { kid, since, ...ANY });
    expect(done).toMatchObject({ successor: null, productsMoved: 1 });
    expect(shop.rows('SELECT DISTINCT signing_kid AS kid FROM products')).toEqual([
      { kid: keyOf(shop, 'license').kid },
    ]);
  });

  it('was not compromised in the future', async () => {
    await using shop = await openShop();
    const { kid } = keyOf(shop, 'license');
    const since = shop.deps.time.now() + 1;
    const asked = compromiseKey(shop.deps, shop.operator(), { kid, since, ...ANY });
    expect(await outcomeOf(asked)).toBe('VALIDATION_FAILED');
    expect(keyOf(shop, 'license').kid).toBe(kid);
  });

  it('has a report of everybody who holds a file of it, and of nobody else', async () => {
    await using shop = await openShop();
    const bound = await shop.sell({}, { userEmail: 'ann@example.com', name: 'Plant 1' });
    const plain = await shop.sell(UNBOUND, { userEmail: 'bob@example.com' });
    await shop.sell(UNBOUND, { userEmail: 'eve@example.com' });
    await issue(shop, bound.license.id, 'machine-1');
    shop.clock.advance(DAY);
    await issue(shop, bound.license.id, 'machine-2');
    await issue(shop, plain.license.id);
    const lost = keyOf(shop, 'license');
    const since = shop.deps.time.now() - 1;
    await compromiseKey(shop.deps, shop.operator(), { kid: lost.kid, since, ...ANY });
    await issue(shop, plain.license.id);
    const { rows, next } = listAffected(shop.deps, { kid: lost.kid, after: -1 });
    const short = ({ userEmail, files, filesSince, machineIds }: Affected) => [
      userEmail,
      files,
      filesSince,
      machineIds.length,
    ];
    expect(rows.map(short)).toEqual([
      ['ann@example.com', 2, 1, 2],
      ['bob@example.com', 1, 1, 0],
    ]);
    expect(next).toBeNull();
    expect(listAffected(shop.deps, { kid: keyOf(shop, 'token').kid, after: -1 }).rows).toEqual([]);
  });
});

describe('a root that is compromised', () => {
  it('is reported by its standby, and no bundle that it signed counts any more', async () => {
    await using shop = await openShop();
    const lost = keyOf(shop, 'root');
    const since = shop.deps.time.now();
    const alone = compromiseKey(shop.deps, shop.operator(), { kid: lost.kid, since, ...ANY });
    await expect(alone).rejects.toThrow('there is no standby root');
    const { key: standby } = await generateKey(shop.deps, shop.operator(), { purpose: 'root' });
    await compromiseKey(shop.deps, shop.operator(), { kid: lost.kid, since, ...ANY });
    expect(keyOf(shop, 'root').kid).toBe(standby.kid);
    expect(verified(shop, lost).code).toBe('KEY_UNKNOWN');
    const { trust } = verified(shop, standby);
    expect(trust?.roots.map(({ kid, state }) => [kid, state])).toContainEqual([lost.kid, 'compromised']);
  });
});
