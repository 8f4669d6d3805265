import { generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { checkoutLicense } from '../../../src/issuing/checkout.ts';
import { deactivateMachine } from '../../../src/licensing/machines/deactivate.ts';
import { takeHeartbeat } from '../../../src/licensing/machines/heartbeat.ts';
import { possessionMessage } from '../../../src/licensing/machines/machine-key.ts';
import type { PolicyInput } from '../../../src/licensing/policies/policy-schema.ts';
import { updatePolicy } from '../../../src/licensing/policies/update.ts';
import { validateLicense } from '../../../src/licensing/validation/validate.ts';
import { openShop, outcomeOf, type Shop } from '../shop.ts';

const PRINT = 'a-machine-of-ours';
const OTHER = 'the-same-after-repair';
const HARDWARE = { board: 'b-1', disk: 'd-1', mac: '3c:ec:ef:12:34:56', os: 'linux' };
const FILE = { ttlSeconds: 86_400, encrypt: true, signed: null, raw: false, form: 'file' } as const;

type Components = Readonly<Record<string, string>>;
interface Asking {
  readonly fingerprint?: string;
  readonly components: Components;
}

async function validated(
  shop: Shop,
  id: string,
  { fingerprint = OTHER, components }: Asking,
): Promise<string> {
  const input = { fingerprint, components };
  return (await validateLicense(shop.deps, shop.operator(), { id, input })).code;
}

/** A licence with one machine of the hardware above. */
async function withMachine(shop: Shop, settings: Partial<PolicyInput>, components: Components = HARDWARE) {
  const sold = await shop.sell({ maxMachines: 3, ...settings });
  const { machine } = await shop.activate(sold.license.id, PRINT, { components });
  return { ...sold, machine };
}

describe('a machine whose fingerprint changed', () => {
  const { board, disk, mac } = HARDWARE;
  it.each([
    ['MATCH_ALL', { board, disk, mac }, false],
    ['MATCH_MOST', { board, disk, mac: 'new' }, true],
    ['MATCH_MOST', { board, disk: 'new', mac: 'new' }, false],
    ['MATCH_MOST', { board }, false],
    ['MATCH_TWO', { board, disk: 'new', mac }, true],
    ['MATCH_TWO', { board, disk: 'new', mac: 'new' }, false],
    ['MATCH_ANY', { mac }, true],
    ['MATCH_ANY', { mac: 'new', os: 'linux' }, false],
    ['MATCH_ANY', { os: 'linux' }, false],
  ] as const)('is recognised under %s by %o: %s', async (fingerprintMatching, components, known) => {
    await using shop = await openShop();
    const { license, machine } = await withMachine(shop, { fingerprintMatching });
    expect(await validated(shop, license.id, { components })).toBe(known ? 'VALID' : 'FINGERPRINT_NOT_FOUND');
    const again = await shop.activate(license.id, OTHER, { components });
    expect([again.created, again.machine.id === machine.id]).toEqual([!known, known]);
    expect(shop.row('SELECT seats FROM license_seats')).toEqual({ seats: known ? 1 : 2 });
  });

  it('with one component stored is recognised under MATCH_ANY alone', async () => {
    await using shop = await openShop();
    for (const matching of ['MATCH_MOST', 'MATCH_TWO', 'MATCH_ANY'] as const) {
      const one = { mac: HARDWARE.mac };
      const { license } = await withMachine(shop, { fingerprintMatching: matching }, one);
      const code = await validated(shop, license.id, { components: one });
      expect(code).toBe(matching === 'MATCH_ANY' ? 'VALID' : 'FINGERPRINT_NOT_FOUND');
    }
  });

  it('keeps the components of its activation: nobody walks from machine to machine', async () => {
    await using shop = await openShop();
    const { license } = await withMachine(shop, { fingerprintMatching: 'MATCH_TWO' });
    const step = { board: 'b-1', disk: 'd-1', mac: 'other' };
    expect((await shop.activate(license.id, OTHER, { components: step })).created).toBe(false);
    const next = { board: 'b-1', disk: 'other', mac: 'other' };
    expect(await validated(shop, license.id, { components: next })).toBe('FINGERPRINT_NOT_FOUND');
  });

  it('is not found under another licence, nor in another environment', async () => {
    await using shop = await openShop();
    await withMachine(shop, { fingerprintMatching: 'MATCH_ANY' });
    const other = await shop.sell({ fingerprintMatching: 'MATCH_ANY' });
    expect(await validated(shop, other.license.id, { components: HARDWARE })).toBe('FINGERPRINT_NOT_FOUND');
    expect((await shop.activate(other.license.id, OTHER, { components: HARDWARE })).created).toBe(true);
  });

  it('is not found when it was removed', async () => {
    await using shop = await openShop();
    const { license, machine } = await withMachine(shop, { fingerprintMatching: 'MATCH_ANY' });
    await deactivateMachine(shop.deps, shop.operator(), { id: machine.id, versions: null, signed: null });
    expect(await validated(shop, license.id, { components: HARDWARE })).toBe('FINGERPRINT_NOT_FOUND');
  });

  it('is the one with most equal components, and none when two have equally many', async () => {
    await using shop = await openShop();
    const { license, machine } = await withMachine(shop, { fingerprintMatching: 'MATCH_ANY' });
    await shop.activate(license.id, 'a-second-machine', {
      components: { board: 'b-2', disk: 'd-2', mac: 'm-2' },
    });
    const closer = await shop.activate(license.id, OTHER, {
      components: { board: 'b-1', disk: 'd-1', mac: 'm-2' },
    });
    expect(closer.machine.id).toBe(machine.id);
    expect(await validated(shop, license.id, { components: { board: 'b-1', disk: 'd-2' } })).toBe(
      'FINGERPRINT_NOT_FOUND',
    );
  });

  it('is not recognised by what more than 16 machines share, however many there are', async () => {
    await using shop = await openShop();
    const { license, policy } = await shop.sell({ maxMachines: 40 });
    for (let i = 0; i < 18; i++) {
      const components = { 'product-uuid': 'of-the-host', disk: `disk-${String(i)}`, mac: 'shared' };
      await shop.activate(license.id, `machine-${String(i)}-of-many`, { components });
    }
    const change = { fingerprintMatching: 'MATCH_TWO' } as const;
    await updatePolicy(shop.deps, shop.operator(), { id: policy.id, versions: null, change });
    const common = { 'product-uuid': 'of-the-host', mac: 'shared' };
    expect(await validated(shop, license.id, { components: common })).toBe('FINGERPRINT_NOT_FOUND');
    const own = { ...common, disk: 'disk-7' };
    expect(await validated(shop, license.id, { components: own })).toBe('VALID');
  });

  it('is not recognised by values that manufacturers leave in a field', async () => {
    await using shop = await openShop();
    const filled = { board: 'Default string', mac: '00:00:00:00:00:00', disk: 'd-1' };
    const { license } = await withMachine(shop, { fingerprintMatching: 'MATCH_ANY' }, filled);
    const sent = { board: 'Default string', mac: '00:00:00:00:00:00' };
    expect(await validated(shop, license.id, { components: sent })).toBe('FINGERPRINT_NOT_FOUND');
    expect(await validated(shop, license.id, { components: { disk: 'd-1' } })).toBe('VALID');
  });

  it('keeps its key: whoever comes with its components and another key is refused', async () => {
    await using shop = await openShop();
    const { license } = await withMachine(shop, { fingerprintMatching: 'MATCH_TWO' });
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
    const proof = sign(null, possessionMessage(raw, OTHER), privateKey).toString('base64url');
    const input = { components: HARDWARE, publicKey: raw.toString('base64url'), proof };
    expect(await outcomeOf(shop.activate(license.id, OTHER, input))).toBe('MACHINE_KEY_MISMATCH');
  });

  it('counts no new fingerprint of the licence’s life', async () => {
    await using shop = await openShop();
    const { license } = await withMachine(shop, {
      fingerprintMatching: 'MATCH_TWO',
      maxMachines: 1,
      maxUniqueFingerprints: 1,
    });
    expect(await outcomeOf(shop.activate(license.id, OTHER, { components: HARDWARE }))).toBe('done');
    expect(shop.row('SELECT fingerprints FROM license_seats')).toEqual({ fingerprints: 1 });
  });
});

describe('a fingerprint on other hardware', () => {
  it('is refused by validation, activation and heartbeat, and gets no file', async () => {
    await using shop = await openShop();
    const { license, machine } = await withMachine(shop, { fingerprintMatching: 'MATCH_MOST' });
    const components = { board: 'b-9', disk: 'd-9', mac: HARDWARE.mac };
    const asked = { fingerprint: PRINT, components };
    expect(await validated(shop, license.id, asked)).toBe('FINGERPRINT_NOT_FOUND');
    expect(await outcomeOf(shop.activate(license.id, PRINT, { components }))).toBe('FINGERPRINT_TAKEN');
    const beat = { id: machine.id, components };
    expect(await outcomeOf(takeHeartbeat(shop.deps, shop.operator(), beat))).toBe('FINGERPRINT_NOT_FOUND');
    const file = checkoutLicense(shop.deps, shop.operator(), { licenseId: license.id, ...asked, ...FILE });
    expect(await outcomeOf(file)).toBe('FINGERPRINT_NOT_FOUND');
  });

  it('keeps no machine alive with a heartbeat, and the right one does', async () => {
    await using shop = await openShop();
    const { machine } = await withMachine(shop, { requireHeartbeat: true });
    shop.clock.advance(1000);
    const wrong = { id: machine.id, components: { disk: 'another' } };
    expect(await outcomeOf(takeHeartbeat(shop.deps, shop.operator(), wrong))).toBe('FINGERPRINT_NOT_FOUND');
    expect(shop.deps.machineUsage.pending(shop.acme.live, machine.id)).toBeUndefined();
    const right = { id: machine.id, components: { disk: 'd-1', os: 'windows' } };
    expect(await outcomeOf(takeHeartbeat(shop.deps, shop.operator(), right))).toBe('done');
  });
});

describe('the file of a recognised machine', () => {
  it('opens with the fingerprint of its activation, and the answer says so', async () => {
    await using shop = await openShop();
    for (const fingerprintMatching of ['MATCH_TWO', 'MATCH_ANY'] as const) {
      const { license, machine } = await withMachine(shop, { fingerprintMatching });
      const asked = { licenseId: license.id, fingerprint: OTHER, components: HARDWARE };
      const issued = await checkoutLicense(shop.deps, shop.operator(), { ...asked, ...FILE });
      expect(issued).toMatchObject({ machineId: machine.id, binding: { mode: 'exact', fingerprint: PRINT } });
      const bound = shop.row(
        `SELECT count(DISTINCT f.fingerprint_hash) AS prints FROM issued_files f
         JOIN machines m ON m.id = f.machine_id AND m.fingerprint_hash = f.fingerprint_hash WHERE m.id = ?`,
        machine.id,
      );
      expect(bound).toEqual({ prints: 1 });
    }
  });

  it('needs the signature of its key from the holder of the licence', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ fingerprintMatching: 'MATCH_TWO' });
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
    const proof = sign(null, possessionMessage(raw, PRINT), privateKey).toString('base64url');
    await shop.activate(license.id, PRINT, {
      components: HARDWARE,
      publicKey: raw.toString('base64url'),
      proof,
    });
    const asked = { licenseId: license.id, fingerprint: OTHER, components: HARDWARE, ...FILE };
    const issued = checkoutLicense(shop.deps, shop.holder(license.id), asked);
    expect(await outcomeOf(issued)).toBe('MACHINE_SIGNATURE_REQUIRED');
  });

  it('is none for a licence file: that opens with the key alone', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ requireFingerprint: false });
    const asked = { licenseId: license.id, fingerprint: null, components: undefined, ...FILE };
    expect((await checkoutLicense(shop.deps, shop.operator(), asked)).binding).toBeNull();
  });
});
