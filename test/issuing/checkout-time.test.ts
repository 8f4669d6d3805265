import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { DAY, isoTime } from '../../src/lib/clock.ts';
import { present } from '../../src/lib/invariant.ts';
import { issueSignedKey } from '../../src/issuing/checkout.ts';
import { checkoutLicense } from '../../src/issuing/index.ts';
import { prepareRevocationList } from '../../src/issuing/revocation-list.ts';
import { showLicense } from '../../src/licensing/licenses/show.ts';
import { updatePolicy } from '../../src/licensing/policies/update.ts';
import {
  RevocationList,
  verifyLicenseFile,
  verifyMachineFile,
  verifyTrustBundle,
} from '../../src/verify/index.ts';
import { openShop, outcomeOf, type Shop } from '../licensing/shop.ts';

const PRINT = 'a-machine-of-ours';
const PLAIN = {
  ttlSeconds: undefined,
  form: 'file',
  encrypt: true,
  signed: null,
  raw: false,
  components: undefined,
} as const;
const UNBOUND = { requireFingerprint: false, durationDays: 30 } as const;
const NO_MACHINE = { ...PLAIN, fingerprint: null } as const;

/** What an application that pins the root of the tenant trusts. */
function trustOf(shop: Shop) {
  const roots = shop.keyring.ofTenant(shop.acme.tenantId).filter(({ purpose }) => purpose === 'root');
  const pins = roots.map(({ publicKey }) => createHash('sha256').update(publicKey).digest('hex'));
  const stored = shop.row('SELECT trust_bundle AS jws FROM tenants WHERE id = ?', shop.acme.tenantId);
  const { jws } = stored as { jws: string };
  return present(verifyTrustBundle(jws, { roots: pins }).trust, 'an accepted bundle gives trust');
}

const checkout = (shop: Shop, licenseId: string, asked: object = {}) =>
  checkoutLicense(shop.deps, shop.operator(), { licenseId, ...NO_MACHINE, ...asked });

const started = (shop: Shop): number =>
  shop.actions().filter((action) => action === 'license.term_started').length;
const shown = (shop: Shop, id: string) => showLicense(shop.deps, shop.operator(), id).view;

describe('a checkout of a licence whose term waits', () => {
  it('for the first activation: the activation begins it, and the file says the new expiry', async () => {
    await using shop = await openShop();
    const basis = { expirationBasis: 'FROM_FIRST_ACTIVATION', offlineMaxDays: 90, durationDays: 10 } as const;
    const { license, product } = await shop.sell(basis);
    shop.clock.advance(100 * DAY);
    const until = shop.clock.wall() + 10 * DAY;
    const issued = await checkout(shop, license.id, { fingerprint: PRINT });
    expect(issued).toMatchObject({ expiresAt: isoTime(until), bound: 'licenseExpiry' });
    expect(shown(shop, license.id)).toMatchObject({ expiresAt: isoTime(until), startsOn: null });
    const options = { trust: trustOf(shop), product: product.code, licenseKey: license.key };
    const verdict = verifyMachineFile(issued.certificate, {
      ...options,
      fingerprint: PRINT,
      now: until - DAY,
    });
    expect(verdict).toMatchObject({ valid: true, code: 'VALID', license: { expiresAtMs: until } });
  });

  it('is begun once by many checkouts at once, and every file says the same', async () => {
    await using shop = await openShop();
    const basis = { expirationBasis: 'FROM_FIRST_ACTIVATION', offlineMaxDays: 90, durationDays: 10 } as const;
    const { license } = await shop.sell({ ...basis, maxMachines: 10 });
    const prints = Array.from({ length: 3 }, (_, i) => `machine-no-${String(i)}`);
    const files = await Promise.all(prints.map((fingerprint) => checkout(shop, license.id, { fingerprint })));
    expect(new Set(files.map(({ expiresAt }) => expiresAt))).toEqual(
      new Set([shown(shop, license.id).expiresAt]),
    );
    expect(started(shop)).toBe(1);
  });

  it.each(['file', 'jwt'] as const)('for the first validation: every file is one (%s)', async (form) => {
    await using shop = await openShop();
    const basis = { expirationBasis: 'FROM_FIRST_VALIDATION' } as const;
    const { license } = await shop.sell({ ...UNBOUND, ...basis });
    await checkout(shop, license.id, { form });
    expect(shown(shop, license.id)).toMatchObject({
      startsOn: null,
      expiresAt: isoTime(shop.clock.wall() + 30 * DAY),
    });
    expect(started(shop)).toBe(1);
  });

  it.each(['file', 'jwt'] as const)(
    'for the first activation: the first one without a machine begins it, and none again (%s)',
    async (form) => {
      await using shop = await openShop();
      const basis = {
        expirationBasis: 'FROM_FIRST_ACTIVATION',
        offlineMaxDays: 90,
        durationDays: 10,
      } as const;
      const { license } = await shop.sell({ ...UNBOUND, ...basis });
      const until = isoTime(shop.clock.wall() + 10 * DAY);
      expect(await checkout(shop, license.id, { form })).toMatchObject({
        expiresAt: until,
        bound: 'licenseExpiry',
      });
      expect(shown(shop, license.id)).toMatchObject({ startsOn: null, expiresAt: until });
      shop.clock.advance(DAY);
      await checkout(shop, license.id, { form });
      await checkout(shop, license.id, { form, fingerprint: PRINT });
      expect(shown(shop, license.id).expiresAt).toBe(until);
      expect(started(shop)).toBe(1);
    },
  );

  it('begins nothing when it is refused', async () => {
    await using shop = await openShop();
    const basis = { expirationBasis: 'FROM_FIRST_VALIDATION', offlineAllowed: false } as const;
    const { license } = await shop.sell({ ...UNBOUND, ...basis });
    expect(await outcomeOf(checkout(shop, license.id))).toBe('OFFLINE_NOT_ALLOWED');
    expect(shown(shop, license.id).startsOn).toBe('validation');
  });
});

describe('a file and the grace of its policy', () => {
  it('lives until expiry and grace, and says so to the verifier', async () => {
    await using shop = await openShop();
    const { license, product } = await shop.sell({ ...UNBOUND, graceDays: 3, offlineMaxDays: 90 });
    shop.clock.advance(29 * DAY);
    const issued = await checkout(shop, license.id);
    const ends = shop.clock.wall() + 4 * DAY;
    expect(issued).toMatchObject({ expiresAt: isoTime(ends), bound: 'licenseExpiry' });
    const options = { trust: trustOf(shop), product: product.code, licenseKey: license.key };
    const at = (now: number) => verifyLicenseFile(issued.certificate, { ...options, now });
    expect(at(ends - 3 * DAY - 1)).toMatchObject({ valid: true, code: 'VALID' });
    expect(at(ends - 1)).toMatchObject({ valid: true, code: 'EXPIRED_IN_GRACE' });
    expect(at(ends)).toMatchObject({ valid: false, code: 'EXPIRED' });
  });

  it('is issued in grace, marked as expired, and not after it', async () => {
    await using shop = await openShop();
    const { license, product } = await shop.sell({ ...UNBOUND, graceDays: 3 });
    shop.clock.advance(31 * DAY);
    const issued = await checkout(shop, license.id);
    const options = { trust: trustOf(shop), product: product.code, licenseKey: license.key };
    const verdict = verifyLicenseFile(issued.certificate, { ...options, now: shop.clock.wall() });
    expect(verdict).toMatchObject({ valid: true, code: 'EXPIRED_IN_GRACE', license: { status: 'EXPIRED' } });
    shop.clock.advance(2 * DAY);
    expect(await outcomeOf(checkout(shop, license.id))).toBe('EXPIRED');
  });
});

describe('what the policy advises', () => {
  it.each(['BLOCK', 'DEGRADE', 'LOG_ONLY'] as const)('is signed into the file: %s', async (enforcement) => {
    await using shop = await openShop();
    const { license, product } = await shop.sell({ ...UNBOUND, enforcement });
    const issued = await checkout(shop, license.id);
    const options = { trust: trustOf(shop), product: product.code, licenseKey: license.key };
    const late = verifyLicenseFile(issued.certificate, { ...options, now: shop.clock.wall() + 60 * DAY });
    expect(late).toMatchObject({ valid: false, code: 'EXPIRED', enforcement });
  });
});

describe('a file that demands a revocation list', () => {
  /** A list that the tenant's own key signed. */
  async function listOf(shop: Shop, issuedAt: number) {
    const scope = { tenantId: shop.acme.tenantId, realm: null };
    const key = shop.keyring.activeKey('revocation', scope);
    const nothing = { fileIds: [], licenseIds: [], machineIds: [], grantIds: [], keys: [] };
    const counted = { number: 1, minEpoch: 0, issuedAt, nextUpdateAt: issuedAt + DAY };
    const who = { tenantCode: shop.acme.tenantId.slice('ten_'.length), environment: 'live' } as const;
    const prepared = prepareRevocationList({ ...who, ...counted, ...nothing }, key);
    const text = prepared.finish(await shop.keyring.sign(key.kid, prepared.signingInput));
    const answer = RevocationList.accept(text, { trust: trustOf(shop) });
    return present(answer.list, `the list is accepted: ${answer.message}`);
  }

  it('is no signed key, which could not demand it, also when the policy changes while it is signed', async () => {
    await using shop = await openShop();
    const { license, policy } = await shop.sell({ ...UNBOUND, revocationMaxAgeDays: 2 });
    const asked = { licenseId: license.id, ttlSeconds: undefined };
    const change = (revocationMaxAgeDays: number | null) =>
      updatePolicy(shop.deps, shop.operator(), {
        id: policy.id,
        versions: null,
        change: { revocationMaxAgeDays },
      });
    expect(await outcomeOf(issueSignedKey(shop.deps, shop.operator(), asked))).toBe('SIGNED_KEY_NOT_ALLOWED');
    await change(null);
    const signer = {
      sign: async (kid: string, message: Buffer): Promise<Buffer> => {
        await change(2);
        return shop.keyring.sign(kid, message);
      },
    };
    const late = issueSignedKey({ ...shop.deps, signer }, shop.operator(), asked);
    expect(await outcomeOf(late)).toBe('SIGNED_KEY_NOT_ALLOWED');
    await change(null);
    const issued = await issueSignedKey(shop.deps, shop.operator(), asked);
    expect(issued.certificate).toMatch(/^key\//);
  });

  it('is refused without one, and with one that is older than the policy says', async () => {
    await using shop = await openShop();
    const { license, product, policy } = await shop.sell({ ...UNBOUND, revocationMaxAgeDays: 2 });
    const issued = await checkout(shop, license.id);
    const now = shop.clock.wall();
    const options = { trust: trustOf(shop), product: product.code, licenseKey: license.key };
    const judged = (revocations: RevocationList | undefined, at: number) =>
      verifyLicenseFile(issued.certificate, { ...options, revocations, now: at });
    expect(judged(undefined, now)).toMatchObject({
      valid: false,
      code: 'LIST_REQUIRED',
      enforcement: 'BLOCK',
    });
    const list = await listOf(shop, now);
    expect(judged(list, now + 2 * DAY)).toMatchObject({ valid: true, code: 'VALID' });
    expect(judged(list, now + 2 * DAY + 1)).toMatchObject({ valid: false, code: 'LIST_REQUIRED' });
    const change = { revocationMaxAgeDays: null };
    await updatePolicy(shop.deps, shop.operator(), { id: policy.id, versions: null, change });
    const free = await checkout(shop, license.id);
    expect(verifyLicenseFile(free.certificate, { ...options, now }).code).toBe('VALID');
  });
});
