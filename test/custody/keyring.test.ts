import { describe, expect, it } from 'vitest';
import { FileCustodian } from '../../src/custody/file/file-custodian.ts';
import { Kek } from '../../src/custody/kek.ts';
import {
  APPLIANCE_SCOPE,
  Keyring,
  realmScope,
  type Registration,
  type SigningKey,
  signingKeyColumns,
  type SigningKeyState,
  tenantScope,
} from '../../src/custody/keyring.ts';
import {
  describeTenantKeys,
  generateLedgerKey,
  generateTenantKeys,
  registerLedgerKey,
  registerTenantKeys,
  type TenantPlace,
  trustBundleContents,
} from '../../src/custody/tenant-keys.ts';
import { prepareTrustBundle, type TrustBundleFacts } from '../../src/issuing/trust-bundle.ts';
import { InvariantViolation } from '../../src/lib/invariant.ts';
import type { Tx } from '../../src/storage/tx.ts';
import { addTenant, type KeyStore, openKeyStore, random, recorded } from './custody-fixtures.ts';
import { jwsInput } from './purpose-messages.ts';
import { ed25519Verify } from './second-implementation.ts';

const MESSAGE = Buffer.from('license/AAAA.BBBB.CCCC');
const NOW = 1_700_000_000_000;

async function withKeyring() {
  const store = await openKeyStore();
  const kek = Kek.generate(random);
  const reopen = (): Promise<Keyring> => {
    const custodian = new FileCustodian({ directory: store.directory, random, kek: () => kek });
    return Keyring.open({ custodians: [custodian], makesIn: 'file' }, store.work.read);
  };
  return { store, reopen, keyring: await reopen() };
}

/** A tenant with all its keys. */
async function addTenantKeys(store: KeyStore, keyring: Keyring, id = 'ten_1') {
  const keys = await generateTenantKeys(keyring);
  return recorded(store, (tx) => {
    const place: TenantPlace = { tenantId: id, ...addTenant(tx, id), notBefore: NOW };
    return { place, keys, registered: registerTenantKeys(tx, keyring, { keys, place }) };
  });
}

/** One licence key more, registered as pending. */
async function addPending(store: KeyStore, keyring: Keyring, place: TenantPlace): Promise<SigningKey> {
  const made = await keyring.generate({ purpose: 'license', algorithm: 'ed25519' });
  return recorded(store, (tx) => keyring.register(tx, made, licenseAs(place, 'pending')));
}

const licenseAs = (place: TenantPlace, state: 'pending' | 'active'): Registration => ({
  tenantId: place.tenantId,
  ...{ realm: place.live, environment: 'live', notBefore: NOW, notAfter: null },
  ...{ activatesAt: null, compromisedSince: null },
  state,
});

describe('the keys of a tenant', () => {
  it('are a root and a revocation key, and a licence, response and token key for each realm', async () => {
    const { store, keyring } = await withKeyring();
    const { place, registered } = await addTenantKeys(store, keyring);
    expect(registered.map(({ purpose, realm, environment }) => [purpose, realm, environment])).toEqual([
      ['root', null, null],
      ['revocation', null, null],
      ['license', place.live, 'live'],
      ['response', place.live, 'live'],
      ['token', place.live, 'live'],
      ['license', place.test, 'test'],
      ['response', place.test, 'test'],
      ['token', place.test, 'test'],
    ]);
    expect(new Set(registered.map(({ kid }) => kid)).size).toBe(8);
  });

  it('are never shared between tenants nor between live and test', async () => {
    const { store, keyring } = await withKeyring();
    const one = await addTenantKeys(store, keyring, 'ten_1');
    const two = await addTenantKeys(store, keyring, 'ten_2');
    const realms = [one.place.live, one.place.test, two.place.live, two.place.test];
    const kids = realms.map((realm) => keyring.activeKey('license', realmScope(realm)).kid);
    expect(new Set(kids).size).toBe(4);
    const roots = ['ten_1', 'ten_2'].map((id) => keyring.activeKey('root', tenantScope(id)).kid);
    expect(new Set(roots).size).toBe(2);
    const ofOne = keyring.ofTenant('ten_1').map(({ kid }) => kid);
    expect(ofOne).toEqual(one.registered.map(({ kid }) => kid).sort());
  });

  it('sign after a restart with the keys of before', async () => {
    const { store, keyring, reopen } = await withKeyring();
    const { place } = await addTenantKeys(store, keyring);
    const later = await reopen();
    expect(later.list()).toEqual(keyring.list());
    const key = later.activeKey('license', realmScope(place.live));
    expect(key).toEqual(keyring.activeKey('license', realmScope(place.live)));
    expect(ed25519Verify(key.publicKey, MESSAGE, await later.sign(key.kid, MESSAGE))).toBe(true);
    const signature = await later.signAs('license', realmScope(place.live), MESSAGE);
    expect(ed25519Verify(key.publicKey, MESSAGE, signature)).toBe(true);
  });

  it('are unknown while their unit has not committed, and after it was thrown away', async () => {
    const { store, keyring, reopen } = await withKeyring();
    const keys = await generateTenantKeys(keyring);
    const failing = recorded(store, (tx) => {
      const place = { tenantId: 'ten_1', ...addTenant(tx, 'ten_1'), notBefore: NOW };
      registerTenantKeys(tx, keyring, { keys, place });
      expect(keyring.list()).toEqual([]);
      throw new Error('the unit fails');
    });
    await expect(failing).rejects.toThrow('the unit fails');
    expect(keyring.list()).toEqual([]);
    expect((await reopen()).list()).toEqual([]);
    await expect(keyring.sign(keys.root.handle.kid, MESSAGE)).rejects.toMatchObject({
      code: 'SIGNER_UNAVAILABLE',
    });
  });
});

describe('the trust bundle of a tenant', () => {
  it('can be laid out and signed before the keys are registered, and says the same afterwards', async () => {
    const { store, keyring } = await withKeyring();
    const keys = await generateTenantKeys(keyring);
    const planned = { tenantId: 'ten_1', live: 1, test: 2, notBefore: NOW } as unknown as TenantPlace; // realms to come
    const contents = trustBundleContents(describeTenantKeys(keys, planned));
    const dates = { issuedAt: NOW, nextUpdateAt: NOW + 1 };
    const facts: TrustBundleFacts = { tenantCode: 'acme', seq: 1, ...dates, ...contents, revocation: null };
    const prepared = prepareTrustBundle(facts, { kid: keys.root.handle.kid, algorithm: 'EdDSA' });
    const signature = await keyring.signNew(keys.root, prepared.signingInput);
    expect(ed25519Verify(keys.root.handle.publicKey, prepared.signingInput, signature)).toBe(true);
    await recorded(store, (tx) => {
      const place = { tenantId: 'ten_1', ...addTenant(tx, 'ten_1'), notBefore: NOW };
      return registerTenantKeys(tx, keyring, { keys, place });
    });
    expect(trustBundleContents(keyring.ofTenant('ten_1'))).toEqual(contents);
  });

  it('certifies what others verify, roots apart, and never the ledger key', async () => {
    const { store, keyring } = await withKeyring();
    const { registered } = await addTenantKeys(store, keyring);
    const made = await generateLedgerKey(keyring);
    await recorded(store, (tx) => registerLedgerKey(tx, keyring, made));
    const { roots, keys } = trustBundleContents(keyring.list());
    expect(roots).toEqual([{ kid: registered[0]?.kid, jwk: registered[0]?.jwk, state: 'active' }]);
    expect(keys.map(({ purpose, environment }) => `${purpose} ${environment ?? '-'}`)).toEqual([
      'revocation -',
      ...['license live', 'license test', 'response live', 'response test', 'token live', 'token test'],
    ]);
    expect(keys[1]).toEqual({
      kid: registered[2]?.kid,
      jwk: registered[2]?.jwk,
      algorithm: 'EdDSA',
      purpose: 'license',
      environment: 'live',
      state: 'active',
      notBefore: NOW,
      notAfter: null,
    });
  });
});

describe('the ledger key', () => {
  it('belongs to the appliance', async () => {
    const { store, keyring } = await withKeyring();
    const made = await generateLedgerKey(keyring);
    const key = await recorded(store, (tx) => registerLedgerKey(tx, keyring, made));
    expect(keyring.activeKey('ledger', APPLIANCE_SCOPE)).toEqual(key);
    const checkpoint = Buffer.from('mintmark/app_1\n7\nAAAA\n');
    const signature = await keyring.signAs('ledger', APPLIANCE_SCOPE, checkpoint);
    expect(ed25519Verify(key.publicKey, checkpoint, signature)).toBe(true);
  });
});

describe('a signing key', () => {
  it('signs while it is active, and a licence key that retires for the products that name it', async () => {
    const { store, keyring, reopen } = await withKeyring();
    const { place } = await addTenantKeys(store, keyring);
    const first = keyring.activeKey('license', realmScope(place.live));
    const second = await addPending(store, keyring, place);
    const signs = async (ring: Keyring): Promise<boolean[]> =>
      Promise.all(
        [first, second].map(({ kid }) =>
          ring.sign(kid, MESSAGE).then(
            () => true,
            () => false,
          ),
        ),
      );
    expect(await signs(keyring)).toEqual([true, false]);
    await recorded(store, (tx) => keyring.changeState(tx, second.kid, 'active'));
    expect(await signs(keyring)).toEqual([true, true]);
    expect(await signs(await reopen())).toEqual([true, true]);
    expect(keyring.find(first.kid)?.state).toBe('retiring');
    await recorded(store, (tx) => keyring.changeState(tx, first.kid, 'retired'));
    expect(await signs(keyring)).toEqual([false, true]);
    expect(await signs(await reopen())).toEqual([false, true]);
    expect(keyring.activeKey('license', realmScope(place.live)).kid).toBe(second.kid);
    await recorded(store, (tx) => keyring.changeState(tx, second.kid, 'compromised'));
    expect(await signs(keyring)).toEqual([false, false]);
    expect(() => keyring.activeKey('license', realmScope(place.live))).toThrow('no active license key');
  });

  it.each(['revocation', 'response', 'token'] as const)(
    'of purpose %s signs nothing once it is retiring',
    async (purpose) => {
      const { store, keyring } = await withKeyring();
      const { registered } = await addTenantKeys(store, keyring);
      const { kid } = registered.find((key) => key.purpose === purpose) as SigningKey;
      await recorded(store, (tx) => keyring.changeState(tx, kid, 'retiring'));
      await expect(keyring.sign(kid, MESSAGE)).rejects.toThrow('is retiring and does not sign');
    },
  );

  it('is certified until it retired, and from when it really began to sign', async () => {
    const { store, keyring } = await withKeyring();
    const { place } = await addTenantKeys(store, keyring);
    const first = keyring.activeKey('license', realmScope(place.live));
    const made = await keyring.generate({ purpose: 'license', algorithm: 'ed25519' });
    const announced = { ...licenseAs(place, 'pending'), notBefore: 9e12, activatesAt: 9e12 };
    const { kid } = await recorded(store, (tx) => keyring.register(tx, made, announced));
    await recorded(store, (tx) => keyring.changeState(tx, kid, 'active'));
    await recorded(store, (tx) => keyring.changeState(tx, first.kid, 'retired'));
    expect(keyring.find(kid)?.notBefore).toBeLessThan(9e12);
    expect(keyring.find(kid)?.activatesAt).toBeNull();
    expect(keyring.find(first.kid)?.notAfter).not.toBeNull();
  });

  it('that is compromised says since when, and its row says no more than that', async () => {
    const { store, keyring, reopen } = await withKeyring();
    const { place } = await addTenantKeys(store, keyring);
    const { kid, notBefore } = keyring.activeKey('license', realmScope(place.live));
    await recorded(store, (tx) => keyring.changeState(tx, kid, 'compromised'));
    expect((await reopen()).find(kid)).toMatchObject({ state: 'compromised', compromisedSince: notBefore });
    const lie = "UPDATE signing_keys SET state = 'active'";
    expect(() => store.database.exec(`${lie} WHERE kid = '${kid}'`)).toThrow('CHECK constraint failed');
  });

  it('is the only active one of its purpose and scope', async () => {
    const { store, keyring } = await withKeyring();
    const { place } = await addTenantKeys(store, keyring);
    const made = await keyring.generate({ purpose: 'license', algorithm: 'ed25519' });
    const second = recorded(store, (tx) => keyring.register(tx, made, licenseAs(place, 'active')));
    await expect(second).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(keyring.list()).toHaveLength(8);
  });

  it('is the only active one also against another unit of the same batch', async () => {
    const { store, keyring } = await withKeyring();
    const [one, other] = [await generateLedgerKey(keyring), await generateLedgerKey(keyring)];
    const outcomes = await Promise.allSettled([
      recorded(store, (tx) => registerLedgerKey(tx, keyring, one)),
      recorded(store, (tx) => registerLedgerKey(tx, keyring, other)),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(outcomes[1]).toMatchObject({ reason: { code: 'CONFLICT' } });
    expect(keyring.list().map(({ kid }) => kid)).toEqual([one.handle.kid]);
  });

  it.each<[SigningKeyState, SigningKeyState]>([
    ['active', 'pending'],
    ['active', 'active'],
    ['active', 'retired'],
    ['retiring', 'active'],
    ['retired', 'retiring'],
    ['compromised', 'active'],
    ['compromised', 'retired'],
  ])('never goes from %s to %s', async (from, to) => {
    const { store, keyring } = await withKeyring();
    const { place } = await addTenantKeys(store, keyring);
    const { kid } = keyring.activeKey('license', realmScope(place.live));
    const way: readonly SigningKeyState[] =
      from === 'retired' ? ['retiring', 'retired'] : from === 'active' ? [] : [from];
    for (const state of way) await recorded(store, (tx) => keyring.changeState(tx, kid, state));
    const change = recorded(store, (tx) => keyring.changeState(tx, kid, to));
    await expect(change).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(keyring.find(kid)?.state).toBe(from);
  });

  it('is changed by one of two that read the same version', async () => {
    const { store, keyring } = await withKeyring();
    const { place } = await addTenantKeys(store, keyring);
    const { kid } = keyring.activeKey('license', realmScope(place.live));
    const change = (tx: Tx): unknown => keyring.changeState(tx, kid, 'retiring');
    const outcomes = await Promise.allSettled([recorded(store, change), recorded(store, change)]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(outcomes[1]).toMatchObject({ reason: { code: 'CONFLICT' } });
    expect(keyring.find(kid)).toMatchObject({ state: 'retiring', version: 2 });
  });

  it('signs the messages of its purpose only', async () => {
    const { store, keyring } = await withKeyring();
    const { place } = await addTenantKeys(store, keyring);
    const { kid } = keyring.activeKey('license', realmScope(place.live));
    const bundle = jwsInput({ kid, jose: 'EdDSA' }, 'mm-trust+jws');
    await expect(keyring.sign(kid, bundle)).rejects.toThrow(InvariantViolation);
  });

  it('describes what decides about it for the ledger, without its bytes', async () => {
    const { store, keyring } = await withKeyring();
    const { registered, place } = await addTenantKeys(store, keyring);
    expect(signingKeyColumns(registered[2] as SigningKey)).toEqual({
      ...{ kid: registered[2]?.kid, purpose: 'license', tenantId: 'ten_1', realm: place.live },
      ...{ environment: registered[2]?.environment, algorithm: 'ed25519', state: 'active' },
      ...{
        custodian: 'file',
        copy: null,
        notBefore: NOW,
        notAfter: null,
        activatesAt: null,
        compromisedSince: null,
      },
    });
  });
});

describe('a keyring', () => {
  it('refuses to open when the custodian of a key is not configured: never another in its place', async () => {
    const { store, keyring, reopen } = await withKeyring();
    await addTenantKeys(store, keyring);
    store.database.exec("UPDATE signing_keys SET custodian = 'token' WHERE purpose = 'root'");
    await expect(reopen()).rejects.toThrow('custodian token holds a signing key and is not configured');
  });

  it('refuses to open when a stored public key was replaced', async () => {
    const { store, keyring, reopen } = await withKeyring();
    await addTenantKeys(store, keyring);
    store.database.exec(`UPDATE signing_keys SET public_key =
      (SELECT public_key FROM signing_keys WHERE purpose = 'revocation') WHERE purpose = 'root'`);
    await expect(reopen()).rejects.toMatchObject({ code: 'KEY_STORAGE' });
  });

  it('opens without the private half of keys that never sign again', async () => {
    const { store, keyring, reopen } = await withKeyring();
    const { place } = await addTenantKeys(store, keyring);
    const { kid } = keyring.activeKey('license', realmScope(place.live));
    await recorded(store, (tx) => keyring.changeState(tx, kid, 'compromised'));
    store.database.exec(`UPDATE signing_keys SET custodian = 'gone' WHERE kid = '${kid}'`);
    expect((await reopen()).find(kid)?.state).toBe('compromised');
  });
});
