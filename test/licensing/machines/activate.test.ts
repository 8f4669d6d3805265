import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { DAY, MINUTE } from '../../../src/lib/clock.ts';
import { activateMachine } from '../../../src/licensing/machines/activate.ts';
import { deactivateMachine } from '../../../src/licensing/machines/deactivate.ts';
import { possessionMessage } from '../../../src/licensing/machines/machine-key.ts';
import { openShop, outcomeOf } from '../shop.ts';

const PRINT = 'a-machine-of-ours';

/** A key of a machine with the proof that it is held. */
function machineKey(fingerprint: string) {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const proof = sign(null, possessionMessage(raw, fingerprint), privateKey).toString('base64url');
  return { publicKey: raw.toString('base64url'), proof, privateKey };
}

describe('an activation', () => {
  it('takes a seat, leaves one ledger entry and one event, and shows the machine', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    const before = shop.actions().length;
    const { machine, created } = await shop.activate(license.id, PRINT, {
      name: 'Press 4',
      userEmail: 'j@acme.example',
    });
    expect(created).toBe(true);
    expect(machine).toMatchObject({
      licenseId: license.id,
      fingerprint: PRINT,
      status: 'alive',
      name: 'Press 4',
    });
    expect(shop.actions().slice(before)).toEqual(['machine.activated']);
    expect(shop.events().slice(-2)).toEqual(['machine.activated', 'license.activated']);
    expect(shop.row('SELECT seats FROM license_seats')).toEqual({ seats: 1 });
  });

  it('keeps neither fingerprint nor component nor person readable in the database', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    const components = { board: 'BOARD-SERIAL-0815', os: 'plan9' };
    await shop.activate(license.id, 'FINGERPRINT-4711', { components, hostname: 'press-four', name: 'Jane' });
    const rows = JSON.stringify([
      ...shop.rows('SELECT * FROM machines'),
      ...shop.rows('SELECT * FROM machine_components'),
      ...shop.rows('SELECT CAST(body AS TEXT) FROM events'),
      ...shop.rows('SELECT CAST(bytes AS TEXT) FROM ledger_entries'),
    ]);
    for (const value of ['FINGERPRINT-4711', 'BOARD-SERIAL-0815', 'press-four', 'Jane']) {
      expect(rows).not.toContain(value);
      expect(rows).not.toContain(JSON.stringify([...Buffer.from(value)]).slice(1, -1));
    }
  });

  it('gives the machine that is there when the fingerprint comes again', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    const first = await shop.activate(license.id, PRINT);
    const entries = shop.actions().length;
    const second = await shop.activate(license.id, PRINT);
    expect([second.created, second.machine.id]).toEqual([false, first.machine.id]);
    expect(shop.actions().length).toBe(entries);
    expect(shop.row('SELECT seats FROM license_seats')).toEqual({ seats: 1 });
  });

  it('refuses a second activation of the last seat, with an entry and an event', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxMachines: 1 });
    await shop.activate(license.id, PRINT);
    await expect(shop.activate(license.id, 'another-machine')).rejects.toMatchObject({
      code: 'MACHINE_LIMIT_EXCEEDED',
    });
    expect(shop.actions().at(-1)).toBe('machine.activate');
    expect(shop.events().at(-1)).toBe('license.limit_reached');
  });

  it('tells of a full licence once a minute, with the number of refusals in between', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxMachines: 1 });
    await shop.activate(license.id, PRINT);
    const refuse = () => shop.activate(license.id, 'another-machine').catch(() => undefined);
    for (let i = 0; i < 50; i++) await refuse();
    shop.clock.advance(MINUTE);
    await refuse();
    const told = shop.rows(
      "SELECT json_extract(CAST(body AS TEXT), '$.data.refusals') AS refusals FROM events WHERE type = 'license.limit_reached'",
    );
    expect(told).toEqual([{ refusals: 1 }, { refusals: 50 }]);
  });

  it("counts the licence's own limit before the policy's, and none where the policy is unlimited", async () => {
    await using shop = await openShop();
    const own = await shop.sell({ maxMachines: 1 }, { maxMachinesOverride: 2 });
    await shop.activate(own.license.id, PRINT);
    await shop.activate(own.license.id, 'machine-two');
    await expect(shop.activate(own.license.id, 'machine-three')).rejects.toMatchObject({
      code: 'MACHINE_LIMIT_EXCEEDED',
    });
    const open = await shop.sell({ maxMachines: null, allowUnlimitedActivations: true });
    for (let i = 0; i < 20; i++) await shop.activate(open.license.id, `machine-${i}-of-many`);
    expect(shop.row('SELECT seats FROM license_seats WHERE license_id = ?', open.license.id)).toEqual({
      seats: 20,
    });
  });

  it('asks the licence for its state', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({}, { expiresAt: new Date(shop.clock.wall() + DAY).toISOString() });
    shop.clock.advance(DAY);
    await expect(shop.activate(license.id, PRINT)).rejects.toMatchObject({ code: 'EXPIRED' });
    await expect(shop.activate('lic_unknown', PRINT)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('lets nobody activate under another licence than his own', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    const other = await shop.sell();
    const request = { licenseId: license.id, input: { fingerprint: PRINT } };
    await expect(activateMachine(shop.deps, shop.holder(other.license.id), request)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await expect(activateMachine(shop.deps, shop.operator(shop.globex.live), request)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    expect((await activateMachine(shop.deps, shop.holder(license.id), request)).created).toBe(true);
  });

  it('allows a machine once in a policy, a product or a realm, as the policy says', async () => {
    await using shop = await openShop();
    const taken = { code: 'FINGERPRINT_TAKEN' };
    for (const scope of ['PER_POLICY', 'PER_PRODUCT', 'PER_REALM'] as const) {
      const print = `machine-${scope}`;
      const { product, policy, license } = await shop.sell({ fingerprintUniqueness: scope });
      const sibling = await shop.license({ productId: product.id, policyId: policy.id });
      const cousinPolicy = await shop.policy(product.id, { fingerprintUniqueness: scope });
      const cousin = await shop.license({ productId: product.id, policyId: cousinPolicy.id });
      const stranger = await shop.sell({ fingerprintUniqueness: scope });
      await shop.activate(license.id, print);
      await expect(shop.activate(sibling.id, print)).rejects.toMatchObject(taken);
      const inCousin = await outcomeOf(shop.activate(cousin.id, print));
      expect(inCousin).toBe(scope === 'PER_POLICY' ? 'done' : 'FINGERPRINT_TAKEN');
      const inStranger = await outcomeOf(shop.activate(stranger.license.id, print));
      expect(inStranger).toBe(scope === 'PER_REALM' ? 'FINGERPRINT_TAKEN' : 'done');
    }
  });

  it('counts the different machines a licence has had in its life', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxMachines: 2, maxUniqueFingerprints: 2, floating: true });
    const first = await shop.activate(license.id, PRINT);
    await deactivateMachine(shop.deps, shop.operator(), {
      id: first.machine.id,
      versions: null,
      signed: null,
    });
    await shop.activate(license.id, 'machine-two');
    await expect(shop.activate(license.id, 'machine-three')).rejects.toMatchObject({
      code: 'FINGERPRINT_LIMIT_EXCEEDED',
    });
    expect((await shop.activate(license.id, PRINT)).created).toBe(true);
  });

  it('stops at the limit of the tenant, without taking a seat', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ maxMachines: 5 });
    shop.storage.database.native
      .prepare('UPDATE tenants SET max_machines = 1 WHERE id = ?')
      .run(shop.acme.tenantId);
    await shop.activate(license.id, PRINT);
    await expect(shop.activate(license.id, 'machine-two')).rejects.toMatchObject({ code: 'TENANT_LIMIT' });
    expect(shop.row('SELECT seats FROM license_seats')).toEqual({ seats: 1 });
  });

  it('registers a key that is proven, and no other under the same fingerprint', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    const { publicKey, proof } = machineKey(PRINT);
    const { machine } = await shop.activate(license.id, PRINT, { publicKey, proof });
    expect(machine.publicKey).toBe(publicKey);
    expect((await shop.activate(license.id, PRINT, { publicKey, proof })).created).toBe(false);
    const other = machineKey(PRINT);
    const again = shop.activate(license.id, PRINT, { publicKey: other.publicKey, proof: other.proof });
    await expect(again).rejects.toMatchObject({ code: 'MACHINE_KEY_MISMATCH' });
  });

  it('refuses a key without proof, with the proof of another machine, and of a small order', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    const { publicKey, proof } = machineKey('some-other-machine');
    const refused = { code: 'VALIDATION_FAILED' };
    await expect(shop.activate(license.id, PRINT, { publicKey })).rejects.toMatchObject(refused);
    await expect(shop.activate(license.id, PRINT, { publicKey, proof })).rejects.toMatchObject(refused);
    // The eight points of small order and a non-canonical encoding, as OpenSSL would take them.
    const points = [
      '0100000000000000000000000000000000000000000000000000000000000000',
      'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      '0000000000000000000000000000000000000000000000000000000000000000',
      '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
      'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    ];
    for (const hex of points) {
      const small = Buffer.from(hex, 'hex').toString('base64url');
      const signature = Buffer.alloc(64).toString('base64url');
      await expect(
        shop.activate(license.id, PRINT, { publicKey: small, proof: signature }),
      ).rejects.toMatchObject({
        ...refused,
        errors: [{ path: 'publicKey' }],
      });
    }
  });

  it('refuses a card number in what is said of a machine', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    const metadata = { note: '4111 1111 1111 1111' };
    await expect(shop.activate(license.id, PRINT, { metadata })).rejects.toMatchObject({
      code: 'CARD_DATA_REFUSED',
    });
  });
});
