import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Fault } from '../../src/faults.ts';
import { DAY, HOUR } from '../../src/lib/clock.ts';
import { present } from '../../src/lib/invariant.ts';
import { checkoutLicense, checkoutMachine } from '../../src/issuing/index.ts';
import { createProduct } from '../../src/licensing/products/create.ts';
import { updateProduct } from '../../src/licensing/products/update.ts';
import { deactivateMachine } from '../../src/licensing/machines/deactivate.ts';
import { possessionMessage, requestMessage } from '../../src/licensing/machines/machine-key.ts';
import { changeStatus } from '../../src/licensing/licenses/transition.ts';
import { verifyLicenseFile, verifyMachineFile, verifyTrustBundle } from '../../src/verify/index.ts';
import { openShop, type Shop } from '../licensing/shop.ts';

const PRINT = 'a-machine-of-ours';
const PLAIN = { ttlSeconds: undefined, form: 'file', encrypt: true, signed: null, raw: false } as const;
const NO_MACHINE = { fingerprint: null, components: undefined } as const;
const UNBOUND = { requireFingerprint: false };

/** What an application that pins the root of the tenant says of a file. */
function trustOf(shop: Shop) {
  const roots = shop.keyring.ofTenant(shop.acme.tenantId).filter(({ purpose }) => purpose === 'root');
  const pins = roots.map(({ publicKey }) => createHash('sha256').update(publicKey).digest('hex'));
  const stored = shop.row('SELECT trust_bundle AS jws FROM tenants WHERE id = ?', shop.acme.tenantId);
  const { jws } = stored as { jws: string };
  const answer = verifyTrustBundle(jws, { roots: pins });
  expect(answer).toMatchObject({ accepted: true });
  return present(answer.trust, 'an accepted bundle gives trust');
}

describe('a checkout', () => {
  it('gives a machine file that our verify library accepts on that machine and on no other', async () => {
    await using shop = await openShop();
    const pro = await shop.entitlement('pro');
    const { license, product } = await shop.sell({}, { entitlementIds: [pro.id], name: 'Plant 4' });
    const { machine } = await shop.activate(license.id, PRINT, { name: 'Press' });
    const issued = await checkoutMachine(shop.deps, shop.operator(), { machineId: machine.id, ...PLAIN });
    expect(issued).toMatchObject({
      algorithm: 'aes-256-gcm+ed25519',
      machineId: machine.id,
      bound: 'offlineMaxDays',
    });
    const options = {
      trust: trustOf(shop),
      product: product.code,
      licenseKey: license.key,
      now: shop.clock.wall(),
      fingerprint: PRINT,
    };
    const verdict = verifyMachineFile(issued.certificate, options);
    expect(verdict).toMatchObject({ valid: true, code: 'VALID', fileId: issued.fileId, dev: false });
    expect(verdict.entitlements.map(({ code }) => code)).toEqual(['pro']);
    expect(verifyMachineFile(issued.certificate, { ...options, fingerprint: 'another-machine' }).valid).toBe(
      false,
    );
    expect(
      verifyMachineFile(issued.certificate, { ...options, now: shop.clock.wall() + 15 * DAY }).code,
    ).toBe('EXPIRED');
  });

  it('gives a licence file where the policy asks for no machine', async () => {
    await using shop = await openShop();
    const { license, product } = await shop.sell(UNBOUND);
    const asked = { licenseId: license.id, ...NO_MACHINE, ...PLAIN };
    const issued = await checkoutLicense(shop.deps, shop.operator(), asked);
    const options = {
      trust: trustOf(shop),
      product: product.code,
      licenseKey: license.key,
      now: shop.clock.wall(),
    };
    expect(verifyLicenseFile(issued.certificate, options)).toMatchObject({ valid: true, code: 'VALID' });
    expect(verifyLicenseFile(issued.certificate, { ...options, product: 'another' }).code).toBe(
      'PRODUCT_MISMATCH',
    );
  });

  it('activates a machine that is not there yet, in the same commit', async () => {
    await using shop = await openShop();
    const { license, product } = await shop.sell({ maxMachines: 1 });
    const asked = { licenseId: license.id, fingerprint: PRINT, components: { board: 'b-1' }, ...PLAIN };
    const before = shop.actions().length;
    const issued = await checkoutLicense(shop.deps, shop.operator(), asked);
    expect(shop.actions().slice(before)).toEqual(['machine.activated', 'license.file_issued']);
    const options = {
      trust: trustOf(shop),
      product: product.code,
      licenseKey: license.key,
      now: shop.clock.wall(),
    };
    expect(verifyMachineFile(issued.certificate, { ...options, fingerprint: PRINT }).code).toBe('VALID');
    expect((await checkoutLicense(shop.deps, shop.operator(), asked)).machineId).toBe(issued.machineId);
    const full = checkoutLicense(shop.deps, shop.operator(), { ...asked, fingerprint: 'machine-two' });
    await expect(full).rejects.toMatchObject({ code: 'MACHINE_LIMIT_EXCEEDED' });
    expect(shop.row('SELECT count(*) AS files FROM issued_files')).toEqual({ files: 2 });
  });

  it('remembers each file with the digest of its content, in its row and in the ledger', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell(UNBOUND);
    const asked = { licenseId: license.id, ...NO_MACHINE, ...PLAIN };
    const issued = await checkoutLicense(shop.deps, shop.operator(), asked);
    const body = issued.certificate.split('\n').slice(1, -2).join('');
    const { enc } = JSON.parse(Buffer.from(body, 'base64').toString('utf8')) as { enc: string };
    const digest = createHash('sha256').update(enc).digest();
    const row = shop.row(
      'SELECT digest, kid, branch_seq, expires_at FROM issued_files WHERE id = ?',
      issued.fileId,
    );
    expect(row).toEqual({ digest, kid: issued.kid, branch_seq: 1, expires_at: Date.parse(issued.expiresAt) });
    const entry = shop.row(
      "SELECT json_extract(CAST(bytes AS TEXT), '$.facts.enc') AS enc FROM ledger_entries ORDER BY position DESC LIMIT 1",
    );
    expect(entry).toEqual({ enc: digest.toString('hex') });
    expect(shop.events().at(-1)).toBe('license.file_issued');
  });

  it.each([
    { why: 'nothing is asked for', ms: 14 * DAY, bound: 'offlineMaxDays' },
    {
      why: 'the policy allows less than the default',
      policy: { offlineMaxDays: 3 },
      ms: 3 * DAY,
      bound: 'offlineMaxDays',
    },
    {
      why: 'the policy allows more than the default',
      policy: { offlineMaxDays: 90 },
      ms: 14 * DAY,
      bound: 'ttl',
    },
    { why: 'an hour is asked for', ttlSeconds: 3600, ms: HOUR, bound: 'ttl' },
    { why: 'the licence ends before', endsInDays: 2, ms: 2 * DAY, bound: 'licenseExpiry' },
    {
      why: 'the licence ends before, and may be used after',
      policy: { expirationStrategy: 'ALLOW_ACCESS' as const },
      endsInDays: 2,
      ms: 14 * DAY,
      bound: 'offlineMaxDays',
    },
  ])(
    'says how long a file lives, and why, when $why',
    async ({ policy, endsInDays, ttlSeconds, ms, bound }) => {
      await using shop = await openShop();
      const ends =
        endsInDays === undefined ? null : new Date(shop.clock.wall() + endsInDays * DAY).toISOString();
      const { license } = await shop.sell({ ...UNBOUND, ...policy }, { expiresAt: ends });
      const asked = { licenseId: license.id, ...NO_MACHINE, ...PLAIN, ttlSeconds };
      const issued = await checkoutLicense(shop.deps, shop.operator(), asked);
      expect(issued.bound).toBe(bound);
      expect(Date.parse(issued.expiresAt) - Date.parse(issued.issuedAt)).toBe(ms);
    },
  );

  it('refuses a life below an hour and beyond what the policy allows', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ ...UNBOUND, offlineMaxDays: 1 });
    for (const ttlSeconds of [3599, 86_401]) {
      const asked = { licenseId: license.id, ...NO_MACHINE, ...PLAIN, ttlSeconds };
      await expect(checkoutLicense(shop.deps, shop.operator(), asked)).rejects.toMatchObject({
        code: 'VALIDATION_FAILED',
        errors: [{ path: 'ttlSeconds' }],
      });
    }
  });

  it('issues nothing for a licence that does not validate, or may not be used offline', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    const asked = { licenseId: license.id, ...NO_MACHINE, ...PLAIN };
    await expect(checkoutLicense(shop.deps, shop.operator(), asked)).rejects.toMatchObject({
      code: 'FINGERPRINT_REQUIRED',
    });
    await changeStatus(shop.deps, shop.operator(), { id: license.id, action: 'suspend', versions: null });
    const bound = { ...asked, fingerprint: PRINT };
    await expect(checkoutLicense(shop.deps, shop.operator(), bound)).rejects.toMatchObject({
      code: 'SUSPENDED',
    });
    const online = await shop.sell({ ...UNBOUND, offlineAllowed: false });
    const refused = checkoutLicense(shop.deps, shop.operator(), { ...asked, licenseId: online.license.id });
    await expect(refused).rejects.toMatchObject({ code: 'OFFLINE_NOT_ALLOWED' });
    expect(shop.row('SELECT count(*) AS files FROM issued_files')).toEqual({ files: 0 });
  });

  it('never encrypts with a weak key, and gives an open file only to whoever has the scope', async () => {
    await using shop = await openShop();
    const { license, product } = await shop.sell(UNBOUND, { key: 'demo-1234-5678' });
    const asked = { licenseId: license.id, ...NO_MACHINE, ...PLAIN };
    await expect(checkoutLicense(shop.deps, shop.operator(), asked)).rejects.toMatchObject({
      code: 'WEAK_KEY',
    });
    const open = { ...asked, encrypt: false };
    const without = checkoutLicense(shop.deps, shop.secretKey(['licenses:checkout']), open);
    await expect(without).rejects.toMatchObject({ code: 'INSUFFICIENT_SCOPE' });
    const holder = checkoutLicense(shop.deps, shop.holder(license.id), open);
    await expect(holder).rejects.toMatchObject({ code: 'INSUFFICIENT_SCOPE' });
    const scopes = ['licenses:checkout', 'licenses:checkout-plain'] as const;
    const issued = await checkoutLicense(shop.deps, shop.secretKey(scopes), open);
    expect(issued.algorithm).toBe('base64+ed25519');
    const verdict = verifyLicenseFile(issued.certificate, {
      trust: trustOf(shop),
      product: product.code,
      now: shop.clock.wall(),
    });
    expect(verdict.code).toBe('VALID');
    expect(JSON.stringify(verdict.content)).not.toContain('demo-1234-5678');
  });

  it('issues nothing in a state of the appliance that forbids it', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell(UNBOUND);
    shop.state.refused = new Fault('CLOCK_SUSPECT', 'the clock jumped');
    const asked = { licenseId: license.id, ...NO_MACHINE, ...PLAIN };
    await expect(checkoutLicense(shop.deps, shop.operator(), asked)).rejects.toMatchObject({
      code: 'CLOCK_SUSPECT',
    });
    shop.state.refused = null;
  });

  it("serves the holder of the licence, his own machines alone, and no other realm's", async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    const other = await shop.sell();
    const { machine } = await shop.activate(license.id, PRINT);
    const asked = { machineId: machine.id, ...PLAIN };
    const notFound = { code: 'NOT_FOUND' };
    expect((await checkoutMachine(shop.deps, shop.holder(license.id), asked)).machineId).toBe(machine.id);
    await expect(checkoutMachine(shop.deps, shop.holder(other.license.id), asked)).rejects.toMatchObject(
      notFound,
    );
    await expect(checkoutMachine(shop.deps, shop.operator(shop.acme.test), asked)).rejects.toMatchObject(
      notFound,
    );
    await expect(checkoutMachine(shop.deps, shop.operator(shop.globex.live), asked)).rejects.toMatchObject(
      notFound,
    );
  });

  it('demands the signature of a machine that has a key from the holder of the licence, over a nonce used once', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
    const proof = sign(null, possessionMessage(raw, PRINT), privateKey).toString('base64url');
    const { machine } = await shop.activate(license.id, PRINT, {
      publicKey: raw.toString('base64url'),
      proof,
    });
    const holder = shop.holder(license.id);
    const refused = { code: 'MACHINE_SIGNATURE_REQUIRED' };
    const asked = { machineId: machine.id, ...PLAIN };
    await expect(checkoutMachine(shop.deps, holder, asked)).rejects.toMatchObject(refused);
    const around = checkoutLicense(shop.deps, holder, {
      licenseId: license.id,
      ...NO_MACHINE,
      ...PLAIN,
      fingerprint: PRINT,
    });
    await expect(around).rejects.toMatchObject(refused);
    const { nonce } = shop.deps.challenges.issue(shop.acme.live, machine.id);
    const request = { method: 'POST', path: '/p', bodyDigest: Buffer.alloc(32, 1), nonce };
    const signed = {
      ...request,
      signature: sign(null, requestMessage(request), privateKey).toString('base64url'),
    };
    expect((await checkoutMachine(shop.deps, holder, { ...asked, signed })).machineId).toBe(machine.id);
    await expect(checkoutMachine(shop.deps, holder, { ...asked, signed })).rejects.toMatchObject(refused);
    expect((await checkoutMachine(shop.deps, shop.operator(), asked)).machineId).toBe(machine.id);
  });

  it('demands that signature also of a machine that came, with its key, while the file was signed', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
    const proof = sign(null, possessionMessage(raw, PRINT), privateKey).toString('base64url');
    const signer = {
      sign: async (kid: string, message: Buffer) => {
        await shop.activate(license.id, PRINT, { publicKey: raw.toString('base64url'), proof });
        return shop.deps.signer.sign(kid, message);
      },
    };
    const asked = { licenseId: license.id, ...NO_MACHINE, ...PLAIN, fingerprint: PRINT };
    const stolen = checkoutLicense({ ...shop.deps, signer }, shop.holder(license.id), asked);
    await expect(stolen).rejects.toMatchObject({ code: 'MACHINE_SIGNATURE_REQUIRED' });
    expect(shop.row('SELECT count(*) AS files FROM issued_files')).toEqual({ files: 0 });
  });

  it('prepares again when a version it relied on has changed while it was signing, and gives up the third time', async () => {
    await using shop = await openShop();
    const { license, product } = await shop.sell(UNBOUND);
    let changes = 0;
    let meddle = 1;
    const signer = {
      sign: async (kid: string, message: Buffer) => {
        if (meddle-- > 0) {
          changes += 1;
          const change = { name: `App ${String(changes)}` };
          await updateProduct(shop.deps, shop.operator(), { id: product.id, versions: null, change });
        }
        return shop.keyring.sign(kid, message);
      },
    };
    const asked = { licenseId: license.id, ...NO_MACHINE, ...PLAIN };
    await checkoutLicense({ ...shop.deps, signer }, shop.operator(), asked);
    expect(changes).toBe(1);
    expect(shop.rows('SELECT branch_seq FROM issued_files')).toEqual([{ branch_seq: 2 }]);
    meddle = 3;
    const refused = checkoutLicense({ ...shop.deps, signer }, shop.operator(), asked);
    await expect(refused).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(shop.row('SELECT count(*) AS files FROM issued_files')).toEqual({ files: 1 });
  });

  it('holds the seat of a machine with an outstanding file until that file expires', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxMachines: 1 });
    const { machine } = await shop.activate(license.id, PRINT);
    const issued = await checkoutMachine(shop.deps, shop.operator(), { machineId: machine.id, ...PLAIN });
    const request = { id: machine.id, versions: null, signed: null };
    const { freesAt } = await deactivateMachine(shop.deps, shop.operator(), request);
    expect(freesAt).toBe(issued.expiresAt);
    await expect(shop.activate(license.id, 'machine-two')).rejects.toMatchObject({
      code: 'MACHINE_LIMIT_EXCEEDED',
    });
    // The same machine comes back to the seat it never left.
    expect((await shop.activate(license.id, PRINT)).created).toBe(true);
    const again = shop.row('SELECT id FROM machines WHERE deleted_at IS NULL') as { id: string };
    await checkoutMachine(shop.deps, shop.operator(), { machineId: again.id, ...PLAIN });
    await deactivateMachine(shop.deps, shop.operator(), { ...request, id: again.id });
    shop.clock.advance(14 * DAY);
    expect((await shop.activate(license.id, 'machine-two')).created).toBe(true);
    expect(shop.actions()).toContain('machine.seat_released');
  });

  it('gives one floating seat to no second machine while a file of the first is outstanding', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxMachines: 1, floating: true });
    const asked = { licenseId: license.id, components: undefined, ...PLAIN };
    const permit = shop.holder(license.id);
    const issued = await checkoutLicense(shop.deps, permit, { ...asked, fingerprint: PRINT });
    const id = issued.machineId ?? '';
    const { freesAt } = await deactivateMachine(shop.deps, permit, { id, versions: null, signed: null });
    expect(freesAt).toBe(issued.expiresAt);
    const second = { ...asked, fingerprint: 'machine-two' };
    await expect(checkoutLicense(shop.deps, permit, second)).rejects.toMatchObject({
      code: 'MACHINE_LIMIT_EXCEEDED',
    });
    shop.clock.advance(14 * DAY);
    expect((await checkoutLicense(shop.deps, permit, second)).machineId).not.toBe(id);
    expect(shop.row('SELECT seats FROM license_seats')).toEqual({ seats: 1 });
  });

  it('frees no seat because a machine with an outstanding file was removed, came back and was removed again', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxMachines: 1 });
    const { machine } = await shop.activate(license.id, PRINT);
    const issued = await checkoutMachine(shop.deps, shop.operator(), { machineId: machine.id, ...PLAIN });
    const request = { versions: null, signed: null };
    await deactivateMachine(shop.deps, shop.operator(), { ...request, id: machine.id });
    const again = await shop.activate(license.id, PRINT);
    const { freesAt } = await deactivateMachine(shop.deps, shop.operator(), {
      ...request,
      id: again.machine.id,
    });
    expect(freesAt).toBe(issued.expiresAt);
    await expect(shop.activate(license.id, 'machine-two')).rejects.toMatchObject({
      code: 'MACHINE_LIMIT_EXCEEDED',
    });
    expect(shop.row('SELECT seats FROM license_seats')).toEqual({ seats: 1 });
  });

  it('keeps the keys of two environments apart', async () => {
    await using shop = await openShop();
    const product = await createProduct(shop.deps, shop.operator(shop.acme.test), { name: 'T', code: 't' });
    const policy = await shop.policy(product.id, UNBOUND, shop.acme.test);
    const license = await shop.license({ productId: product.id, policyId: policy.id }, shop.acme.test);
    const asked = { licenseId: license.id, ...NO_MACHINE, ...PLAIN };
    const issued = await checkoutLicense(shop.deps, shop.operator(shop.acme.test), asked);
    const options = { trust: trustOf(shop), product: 't', licenseKey: license.key, now: shop.clock.wall() };
    expect(verifyLicenseFile(issued.certificate, options).valid).toBe(false);
    expect(verifyLicenseFile(issued.certificate, { ...options, environment: 'test' }).code).toBe('VALID');
  });
});
