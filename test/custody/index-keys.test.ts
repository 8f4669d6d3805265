import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { describe, expect, it } from 'vitest';
import { IndexKeys } from '../../src/custody/index-keys.ts';
import { Kek } from '../../src/custody/kek.ts';
import type { IndexName } from '../../src/custody/sealer.ts';
import { SYSTEM_REALM } from '../../src/storage/realm-scope.ts';
import { addTenant, faultCode, type KeyStore, openKeyStore, random, recorded } from './custody-fixtures.ts';

const LOOKUP: IndexName = { purpose: 'lookup', table: 'license_directory', column: 'key_hash' };
const EMAIL: IndexName = { purpose: 'blind', table: 'licenses', column: 'user_email' };

async function withSystemKey() {
  const store = await openKeyStore();
  const kek = Kek.generate(random);
  const keys = new IndexKeys({ random });
  keys.begin(kek);
  await recorded(store, (tx) => keys.create(tx, SYSTEM_REALM));
  return { store, kek, keys };
}

function reopened(store: KeyStore, kek: Kek): IndexKeys {
  const keys = new IndexKeys({ random });
  keys.unlock(kek, store.work.read);
  return keys;
}

describe('keyed digests', () => {
  it('are HMAC-SHA-256 under HKDF-SHA-256 of the index key, as a second implementation makes them', async () => {
    const { store, kek, keys } = await withSystemKey();
    const wrapped = store.database.native.prepare('SELECT wrapped FROM index_keys').pluck().get() as Buffer;
    const key = kek.unwrap('index-key/0/1', wrapped);
    const info = Buffer.from('mintmark/1/lookup/0/license_directory/key_hash');
    const expected = hmac(sha256, hkdf(sha256, key, undefined, info, 32), Buffer.from('LIC-Ü'));
    const made = keys.digest(SYSTEM_REALM, LOOKUP, 'LIC-Ü');
    expect(made).toEqual({ version: 1, digest: Buffer.from(expected) });
  });

  it('stay the same across restarts and differ by purpose, column and realm', async () => {
    const { store, kek, keys } = await withSystemKey();
    const live = await recorded(store, (tx) => {
      const realms = addTenant(tx, 'ten_1');
      keys.create(tx, realms.live);
      return realms.live;
    });
    const value = 'somebody@example.org';
    const digests = [
      keys.digest(SYSTEM_REALM, EMAIL, value),
      keys.digest(live, EMAIL, value),
      keys.digest(live, LOOKUP, value),
      keys.digest(live, { ...EMAIL, column: 'user_name' }, value),
      keys.digest(live, { ...EMAIL, purpose: 'secret' }, value),
      keys.digest(live, { ...EMAIL, table: 'machines' }, value),
    ].map(({ digest }) => digest.toString('hex'));
    expect(new Set(digests).size).toBe(digests.length);
    expect(reopened(store, kek).digest(live, EMAIL, value).digest.toString('hex')).toBe(digests[1]);
  });

  it('are made for a realm inside the unit that makes it', async () => {
    const { store, keys } = await withSystemKey();
    const { live, inside } = await recorded(store, (tx) => {
      const { live } = addTenant(tx, 'ten_1');
      keys.create(tx, live);
      return { live, inside: keys.digest(live, EMAIL, 'x') };
    });
    expect(keys.digest(live, EMAIL, 'x')).toEqual(inside);
  });

  it('are looked up under every version after the key was changed, the newest first', async () => {
    const { store, kek, keys } = await withSystemKey();
    const old = keys.digest(SYSTEM_REALM, LOOKUP, 'x');
    expect(keys.candidates(SYSTEM_REALM, LOOKUP, 'x')).toEqual([old]);
    await recorded(store, (tx) => keys.rotate(tx, SYSTEM_REALM));
    for (const ring of [keys, reopened(store, kek)]) {
      const candidates = ring.candidates(SYSTEM_REALM, LOOKUP, 'x');
      expect(candidates.map(({ version }) => version)).toEqual([2, 1]);
      expect(candidates[1]).toEqual(old);
      expect(ring.digest(SYSTEM_REALM, LOOKUP, 'x')).toEqual(candidates[0]);
    }
  });

  it('are refused after the keys were dropped, and for a realm without keys', async () => {
    const { store, keys } = await withSystemKey();
    const live = await recorded(store, (tx) => addTenant(tx, 'ten_1').live);
    expect(faultCode(() => keys.digest(live, EMAIL, 'x'))).toBe('KEY_STORAGE');
    keys.lock();
    expect(faultCode(() => keys.digest(SYSTEM_REALM, EMAIL, 'x'))).toBe('SEALED');
    expect(faultCode(() => keys.candidates(SYSTEM_REALM, EMAIL, 'x'))).toBe('SEALED');
  });

  it('are refused when a key was moved to another realm', async () => {
    const { store, kek } = await withSystemKey();
    store.database.exec('UPDATE index_keys SET realm_id = 1');
    expect(faultCode(() => reopened(store, kek))).toBe('KEY_STORAGE');
  });
});
