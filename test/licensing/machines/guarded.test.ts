import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { checkoutLicense } from '../../../src/issuing/checkout.ts';
import { transferLicense } from '../../../src/licensing/licenses/transfer.ts';
import { activateMachine } from '../../../src/licensing/machines/activate.ts';
import { deactivateMachine } from '../../../src/licensing/machines/deactivate.ts';
import { takeHeartbeat } from '../../../src/licensing/machines/heartbeat.ts';
import { possessionMessage, requestMessage } from '../../../src/licensing/machines/machine-key.ts';
import { rekeyMachine } from '../../../src/licensing/machines/rekey.ts';
import { updateMachine } from '../../../src/licensing/machines/update.ts';
import { validateKey } from '../../../src/licensing/validation/validate-key.ts';
import { openShop, outcomeOf, type Shop } from '../shop.ts';

const PRINT = 'a-machine-of-ours';
const FILE = { ttlSeconds: 86_400, encrypt: true, signed: null, raw: false, form: 'file' } as const;

function newKey() {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const raw = publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
  const proof = sign(null, possessionMessage(raw, PRINT), privateKey).toString('base64url');
  return { publicKey: raw.toString('base64url'), proof, privateKey };
}

function signedBy(shop: Shop, machineId: string, key: KeyObject) {
  const { nonce } = shop.deps.challenges.issue(shop.acme.live, machineId);
  const said = { method: 'DELETE', path: '/p', bodyDigest: Buffer.alloc(32), nonce };
  return { ...said, signature: sign(null, requestMessage(said), key).toString('base64url') };
}

async function withKey(shop: Shop) {
  const [old, next] = [newKey(), newKey()];
  const { license } = await shop.sell({ licenseHolderMayDeactivate: true });
  const { publicKey, proof } = old;
  const { machine } = await shop.activate(license.id, PRINT, { publicKey, proof });
  return { license, machine, old, next };
}

describe('the signature of a machine', () => {
  it('counts for nothing when the machine has another key by the time the unit is tried again', async () => {
    await using shop = await openShop();
    const { license, machine, old, next } = await withKey(shop);
    const { id } = machine;
    const signed = signedBy(shop, id, old.privateKey);
    // Both read the machine in this turn; the rekey is committed first, and the removal has to read it again.
    const rekeyed = rekeyMachine(shop.deps, shop.operator(), { id, versions: null, ...next, signed: null });
    const removed = deactivateMachine(shop.deps, shop.holder(license.id), { id, versions: null, signed });
    await rekeyed;
    expect(await outcomeOf(removed)).toBe('MACHINE_SIGNATURE_REQUIRED');
    expect(shop.row('SELECT seats FROM license_seats')).toEqual({ seats: 1 });
  });

  it('is asked for when the machine got its first key in between', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell({ licenseHolderMayDeactivate: true });
    const { machine } = await shop.activate(license.id, PRINT);
    const { id } = machine;
    const rekeyed = rekeyMachine(shop.deps, shop.operator(), {
      id,
      versions: null,
      ...newKey(),
      signed: null,
    });
    const removed = deactivateMachine(shop.deps, shop.holder(license.id), {
      id,
      versions: null,
      signed: null,
    });
    await rekeyed;
    expect(await outcomeOf(removed)).toBe('MACHINE_SIGNATURE_REQUIRED');
  });

  it('gives a machine no second key when it was given one in between', async () => {
    await using shop = await openShop();
    const { license, machine, old, next } = await withKey(shop);
    const { id } = machine;
    const signed = signedBy(shop, id, old.privateKey);
    const first = rekeyMachine(shop.deps, shop.operator(), { id, versions: null, ...next, signed: null });
    const thief = newKey();
    const second = rekeyMachine(shop.deps, shop.holder(license.id), { id, versions: null, ...thief, signed });
    await first;
    expect(await outcomeOf(second)).toBe('MACHINE_SIGNATURE_REQUIRED');
  });

  it('cannot be given where there is no key: the holder gives a bare machine none', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    const { machine } = await shop.activate(license.id, PRINT);
    const asked = { id: machine.id, versions: null, ...newKey(), signed: null };
    const rekey = () => outcomeOf(rekeyMachine(shop.deps, shop.holder(license.id), asked));
    expect(await rekey()).toBe('INSUFFICIENT_SCOPE');
    expect(shop.row('SELECT public_key, version FROM machines')).toEqual({ public_key: null, version: 1 });
  });

  it('gives no key to a machine whose key the publisher took away in between', async () => {
    await using shop = await openShop();
    const { license, machine, old, next } = await withKey(shop);
    const { id } = machine;
    const signed = signedBy(shop, id, old.privateKey);
    const none = { publicKey: null, proof: null, signed: null };
    const taken = rekeyMachine(shop.deps, shop.operator(), { id, versions: null, ...none });
    const given = rekeyMachine(shop.deps, shop.holder(license.id), { id, versions: null, ...next, signed });
    await taken;
    expect(await outcomeOf(given)).toBe('INSUFFICIENT_SCOPE');
    expect(shop.row('SELECT public_key FROM machines')).toEqual({ public_key: null });
  });

  it('is good for what was only edited in between', async () => {
    await using shop = await openShop();
    const { license, machine, old } = await withKey(shop);
    const { id } = machine;
    const signed = signedBy(shop, id, old.privateKey);
    const same = { publicKey: old.publicKey, proof: old.proof };
    const edited = rekeyMachine(shop.deps, shop.operator(), { id, versions: null, ...same, signed: null });
    const removed = deactivateMachine(shop.deps, shop.holder(license.id), { id, versions: null, signed });
    await edited;
    expect(await outcomeOf(removed)).toBe('done');
  });
});

describe('what is said of a machine that has a key', () => {
  const change = { userEmail: 'thief@globex.example', metadata: { taken: true } };

  it('is changed by the holder of the licence with the machine, and not without', async () => {
    await using shop = await openShop();
    const { license, machine, old, next } = await withKey(shop);
    const { id } = machine;
    const asked = { id, versions: null, change };
    const holder = shop.holder(license.id);
    const update = (signed: ReturnType<typeof signedBy> | null) =>
      outcomeOf(updateMachine(shop.deps, holder, { ...asked, signed }));
    expect(await update(null)).toBe('MACHINE_SIGNATURE_REQUIRED');
    expect(await update(signedBy(shop, id, next.privateKey))).toBe('MACHINE_SIGNATURE_REQUIRED');
    expect(shop.row('SELECT version FROM machines')).toEqual({ version: 1 });
    const signed = signedBy(shop, id, old.privateKey);
    expect([await update(signed), await update(signed)]).toEqual(['done', 'MACHINE_SIGNATURE_REQUIRED']);
    const publisher = updateMachine(shop.deps, shop.operator(), { ...asked, signed: null });
    expect(await outcomeOf(publisher)).toBe('done');
  });

  it('is not changed with the signature of a key it has no longer', async () => {
    await using shop = await openShop();
    const { license, machine, old, next } = await withKey(shop);
    const { id } = machine;
    const signed = signedBy(shop, id, old.privateKey);
    const rekeyed = rekeyMachine(shop.deps, shop.operator(), { id, versions: null, ...next, signed: null });
    const asked = { id, versions: null, change, signed };
    const changed = updateMachine(shop.deps, shop.holder(license.id), asked);
    await rekeyed;
    expect(await outcomeOf(changed)).toBe('MACHINE_SIGNATURE_REQUIRED');
  });

  it('of one without a key is changed with the licence key alone', async () => {
    await using shop = await openShop();
    const { license } = await shop.sell();
    const { machine } = await shop.activate(license.id, PRINT);
    const asked = { id: machine.id, versions: null, change, signed: null };
    expect(await outcomeOf(updateMachine(shop.deps, shop.holder(license.id), asked))).toBe('done');
  });
});

describe('a nonce', () => {
  it('is used up by nobody who cannot sign: the machine signs with it afterwards', async () => {
    await using shop = await openShop();
    const { license, machine, old, next } = await withKey(shop);
    const { id } = machine;
    const signed = signedBy(shop, id, old.privateKey);
    const remove = (proof: typeof signed) =>
      outcomeOf(deactivateMachine(shop.deps, shop.holder(license.id), { id, versions: null, signed: proof }));
    // Somebody who read it on the wire sends it with a signature of his own, and asks for many others.
    const stolen = {
      ...signed,
      signature: sign(null, requestMessage(signed), next.privateKey).toString('base64url'),
    };
    expect(await remove(stolen)).toBe('MACHINE_SIGNATURE_REQUIRED');
    for (let i = 0; i < 100; i++) shop.deps.challenges.issue(shop.acme.live, id);
    expect(await remove(signed)).toBe('done');
  });
});

describe('who may remove a machine', () => {
  const table = [
    // floating, allowMachineTransfer, licenseHolderMayDeactivate → without a key, with a key and its signature
    [false, false, undefined, 'INSUFFICIENT_SCOPE', 'INSUFFICIENT_SCOPE'],
    [false, true, undefined, 'INSUFFICIENT_SCOPE', 'done'],
    [true, false, undefined, 'done', 'done'],
    [true, false, false, 'INSUFFICIENT_SCOPE', 'done'],
    [false, false, true, 'done', 'done'],
    [true, true, false, 'INSUFFICIENT_SCOPE', 'done'],
  ] as const;
  it.each(table)('floating %s, transfer %s, holder %s: %s, and with a key %s', async (...row) => {
    const [floating, allowMachineTransfer, holderMay, bare, keyed] = row;
    await using shop = await openShop();
    const own = holderMay === undefined ? {} : { licenseHolderMayDeactivate: holderMay };
    const { license } = await shop.sell({ floating, allowMachineTransfer, ...own });
    const remove = (id: string, key: KeyObject | null) => {
      const signed = key === null ? null : signedBy(shop, id, key);
      return outcomeOf(deactivateMachine(shop.deps, shop.holder(license.id), { id, versions: null, signed }));
    };
    const plain = await shop.activate(license.id, 'a-machine-without-key');
    expect(await remove(plain.machine.id, null)).toBe(bare);
    const { publicKey, proof, privateKey } = newKey();
    const secured = await shop.activate(license.id, PRINT, { publicKey, proof });
    expect(await remove(secured.machine.id, privateKey)).toBe(keyed);
    const publisher = { id: secured.machine.id, versions: null, signed: null };
    const left = keyed === 'done' ? 'NOT_FOUND' : 'done';
    expect(await outcomeOf(deactivateMachine(shop.deps, shop.operator(), publisher))).toBe(left);
  });
});

describe('a suspended tenant', () => {
  async function suspended(shop: Shop) {
    const sold = await shop.sell({ licenseHolderMayDeactivate: true, maxMachines: 3 });
    const { machine } = await shop.activate(sold.license.id, PRINT);
    shop.storage.database.native
      .prepare("UPDATE tenants SET status = 'suspended' WHERE id = ?")
      .run(shop.acme.tenantId);
    return { ...sold, machine };
  }

  it('gives holders of its licences no further machine and no file', async () => {
    await using shop = await openShop();
    const { license } = await suspended(shop);
    const permit = shop.holder(license.id);
    const entries = shop.actions().length;
    const request = { licenseId: license.id, input: { fingerprint: 'one-more-machine' } };
    expect(await outcomeOf(activateMachine(shop.deps, permit, request))).toBe('TENANT_SUSPENDED');
    for (const fingerprint of [PRINT, 'one-more-machine']) {
      const asked = { licenseId: license.id, fingerprint, components: undefined, ...FILE };
      expect(await outcomeOf(checkoutLicense(shop.deps, permit, asked))).toBe('TENANT_SUSPENDED');
    }
    expect(shop.row('SELECT seats FROM license_seats')).toEqual({ seats: 1 });
    expect(shop.row('SELECT count(*) AS files FROM issued_files')).toEqual({ files: 0 });
    expect(shop.actions().length).toBe(entries);
  });

  it('takes nothing from them: validation, the machine again, heartbeat and removal go on', async () => {
    await using shop = await openShop();
    const { license, machine } = await suspended(shop);
    const permit = shop.holder(license.id);
    const input = { key: license.key, fingerprint: PRINT };
    const validated = await validateKey(shop.deps, shop.anonymous(), { input, address: '127.0.0.1' });
    expect(validated.valid).toBe(true);
    const request = { licenseId: license.id, input: { fingerprint: PRINT } };
    expect((await activateMachine(shop.deps, permit, request)).created).toBe(false);
    expect(await outcomeOf(takeHeartbeat(shop.deps, permit, machine))).toBe('done');
    const removal = { id: machine.id, versions: null, signed: null };
    expect(await outcomeOf(deactivateMachine(shop.deps, permit, removal))).toBe('done');
  });

  it('of another tenant is nobody’s business here, and the local operator may act', async () => {
    await using shop = await openShop();
    const { license } = await suspended(shop);
    expect((await shop.activate(license.id, 'one-more-machine')).created).toBe(true);
    const other = await shop.sell({}, {}, shop.globex.live);
    const request = { licenseId: other.license.id, input: { fingerprint: PRINT } };
    const permit = shop.holder(other.license.id, shop.globex.live);
    expect((await activateMachine(shop.deps, permit, request)).created).toBe(true);
  });
});

describe('one machine once', () => {
  it('is asked again where a transfer leads, about living machines only', async () => {
    await using shop = await openShop();
    const { product, policy, license } = await shop.sell({});
    const other = await shop.license({ productId: product.id, policyId: policy.id });
    await shop.activate(license.id, PRINT);
    const { machine } = await shop.activate(other.id, PRINT);
    for (const fingerprintUniqueness of ['PER_PRODUCT', 'PER_REALM'] as const) {
      const strict = await shop.policy(product.id, { fingerprintUniqueness });
      const to = { id: license.id, versions: null, policyId: strict.id, keepExpiry: true };
      expect(await outcomeOf(transferLicense(shop.deps, shop.operator(), to))).toBe('FINGERPRINT_TAKEN');
    }
    const own = await shop.policy(product.id, { fingerprintUniqueness: 'PER_POLICY' });
    const move = (id: string) => {
      const to = { id, versions: null, policyId: own.id, keepExpiry: true };
      return outcomeOf(transferLicense(shop.deps, shop.operator(), to));
    };
    expect(await move(license.id)).toBe('done');
    expect(await move(other.id)).toBe('FINGERPRINT_TAKEN');
    await deactivateMachine(shop.deps, shop.operator(), { id: machine.id, versions: null, signed: null });
    expect(await move(other.id)).toBe('done');
  });

  it('is given to one of many licences that ask at the same moment', async () => {
    await using shop = await openShop();
    const { product, policy } = await shop.sell({ fingerprintUniqueness: 'PER_POLICY' });
    const make = () => shop.license({ productId: product.id, policyId: policy.id });
    const licenses = await Promise.all(Array.from({ length: 12 }, make));
    const outcomes = await Promise.all(licenses.map(({ id }) => outcomeOf(shop.activate(id, PRINT))));
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'FINGERPRINT_TAKEN')).toHaveLength(11);
  });
});
