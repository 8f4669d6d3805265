import { describe, expect, it } from 'vitest';
import { DataKeys } from '../../src/custody/data-keys.ts';
import { Kek } from '../../src/custody/kek.ts';
import type { UsageLimits } from '../../src/custody/key-usage.ts';
import type { Cell } from '../../src/custody/sealer.ts';
import { keyVersionOf } from '../../src/custody/value-format.ts';
import { Fault } from '../../src/faults.ts';
import { type RealmId, SYSTEM_REALM } from '../../src/storage/realm-scope.ts';
import {
  addTenant,
  faultCode,
  type KeyStore,
  openKeyStore,
  random,
  recorded,
  settled,
} from './custody-fixtures.ts';

const LIMITS: UsageLimits = { block: 8, warnAt: 16, rotateAt: 32, refuseAt: 64 };
const SECRET = Buffer.from('a value nobody may read');

const cellOf = (realm: RealmId): Cell => ({ realm, table: 'licenses', column: 'personal', row: 'lic_1' });

/** A store with data keys for the system realm, and how to open them again after a crash. */
async function withSystemKey(limits?: UsageLimits) {
  const store = await openKeyStore();
  const kek = Kek.generate(random);
  const keys = newKeys(limits);
  keys.begin(kek);
  await recorded(store, (tx) => keys.create(tx, SYSTEM_REALM));
  return { store, kek, keys };
}

function newKeys(limits?: UsageLimits): DataKeys {
  return new DataKeys({ random, ...(limits === undefined ? {} : { limits }) });
}

function reopened(store: KeyStore, kek: Kek, limits?: UsageLimits): DataKeys {
  const keys = newKeys(limits);
  keys.unlock(kek, store.work.read);
  return keys;
}

const storedUses = (store: KeyStore, version = 1): number =>
  store.database.native
    .prepare('SELECT reserved FROM data_key_usage WHERE realm_id = 0 AND version = ?')
    .pluck()
    .get(version) as number;

describe('data keys', () => {
  it('open after a restart what they sealed before', async () => {
    const { store, kek, keys } = await withSystemKey();
    const sealed = keys.seal(cellOf(SYSTEM_REALM), SECRET);
    expect(reopened(store, kek).open(cellOf(SYSTEM_REALM), sealed)).toEqual(SECRET);
  });

  it('seal for a realm inside the unit that makes it', async () => {
    const { store, kek, keys } = await withSystemKey();
    const { live, sealed } = await recorded(store, (tx) => {
      const { live } = addTenant(tx, 'ten_1');
      keys.create(tx, live);
      return { live, sealed: keys.seal(cellOf(live), SECRET) };
    });
    expect(reopened(store, kek).open(cellOf(live), sealed)).toEqual(SECRET);
  });

  it('forget the key of a realm whose unit was thrown away', async () => {
    const { store, keys } = await withSystemKey();
    const seals: Buffer[] = [];
    const failing = recorded(store, (tx) => {
      const { live } = addTenant(tx, 'ten_1');
      keys.create(tx, live);
      seals.push(keys.seal(cellOf(live), SECRET));
      throw new Error('the unit fails');
    });
    await expect(failing).rejects.toThrow('the unit fails');
    const live = await recorded(store, (tx) => {
      const realms = addTenant(tx, 'ten_2');
      keys.create(tx, realms.live);
      return realms.live;
    });
    expect(keys.open(cellOf(live), keys.seal(cellOf(live), SECRET))).toEqual(SECRET);
    expect(faultCode(() => keys.open(cellOf(live), seals[0] ?? SECRET))).toBe('KEY_STORAGE');
  });

  it('refuse everything after they were dropped', async () => {
    const { keys } = await withSystemKey();
    const sealed = keys.seal(cellOf(SYSTEM_REALM), SECRET);
    keys.lock();
    expect(faultCode(() => keys.seal(cellOf(SYSTEM_REALM), SECRET))).toBe('SEALED');
    expect(faultCode(() => keys.open(cellOf(SYSTEM_REALM), sealed))).toBe('SEALED');
  });

  it('are refused when the key-encryption key is another one', async () => {
    const { store } = await withSystemKey();
    expect(faultCode(() => reopened(store, Kek.generate(random)))).toBe('KEY_STORAGE');
  });

  it('are refused when one was moved to another realm', async () => {
    const { store, kek, keys } = await withSystemKey();
    await recorded(store, (tx) => keys.create(tx, addTenant(tx, 'ten_1').live));
    store.database.exec(
      'UPDATE data_keys SET wrapped = (SELECT wrapped FROM data_keys WHERE realm_id = 0) WHERE realm_id = 1',
    );
    expect(faultCode(() => reopened(store, kek))).toBe('KEY_STORAGE');
  });
});

describe('uses of a data key', () => {
  it('are on disk before they are given, also across crashes', async () => {
    const { store, kek } = await withSystemKey(LIMITS);
    let given = LIMITS.block; // what create left behind counts as used
    for (let crash = 0; crash < 3; crash++) {
      const keys = reopened(store, kek, LIMITS);
      await keys.start(store.work);
      while (faultCode(() => keys.seal(cellOf(SYSTEM_REALM), SECRET)) === 'none') given++;
      expect(storedUses(store)).toBeGreaterThanOrEqual(given);
      await settled(store);
    }
    expect(given).toBe(LIMITS.block * 4);
  });

  it('are refused beyond what was reserved, until the next block is on disk', async () => {
    const { store, kek } = await withSystemKey(LIMITS);
    const keys = reopened(store, kek, LIMITS);
    expect(faultCode(() => keys.seal(cellOf(SYSTEM_REALM), SECRET))).toBe('OVERLOADED');
    await keys.start(store.work);
    for (let use = 0; use < LIMITS.block; use++) keys.seal(cellOf(SYSTEM_REALM), SECRET);
    expect(faultCode(() => keys.seal(cellOf(SYSTEM_REALM), SECRET))).toBe('OVERLOADED');
    await settled(store);
    expect(faultCode(() => keys.seal(cellOf(SYSTEM_REALM), SECRET))).toBe('none');
  });

  it('are given back at an orderly stop', async () => {
    const { store, kek } = await withSystemKey(LIMITS);
    const keys = reopened(store, kek, LIMITS);
    await keys.start(store.work);
    keys.seal(cellOf(SYSTEM_REALM), SECRET);
    await keys.stop();
    expect(storedUses(store)).toBe(LIMITS.block + 1);
    expect(faultCode(() => keys.seal(cellOf(SYSTEM_REALM), SECRET))).toBe('OVERLOADED');
  });

  it('make the realm a new key at the limit of rotation, recorded, while old values still open', async () => {
    const { store, kek, keys: first } = await withSystemKey(LIMITS);
    const old = first.seal(cellOf(SYSTEM_REALM), SECRET);
    const keys = reopened(store, kek, LIMITS);
    await keys.start(store.work);
    let sealed = keys.seal(cellOf(SYSTEM_REALM), SECRET);
    for (let use = 0; use < LIMITS.rotateAt && keyVersionOf(sealed) === 1; use++) {
      sealed = keys.seal(cellOf(SYSTEM_REALM), SECRET);
      await settled(store);
    }
    expect(keyVersionOf(sealed)).toBe(2);
    expect(storedUses(store)).toBeLessThan(LIMITS.refuseAt);
    expect(store.entries.map(({ action }) => action)).toContain('data_key.rotated');
    const restarted = reopened(store, kek, LIMITS);
    expect(restarted.open(cellOf(SYSTEM_REALM), old)).toEqual(SECRET);
    expect(restarted.open(cellOf(SYSTEM_REALM), sealed)).toEqual(SECRET);
  });

  it('end at the last limit while no new key can be had, and go on as soon as one can', async () => {
    const { store, kek } = await withSystemKey(LIMITS);
    const keys = reopened(store, kek, LIMITS);
    let diskIsFull = true;
    await keys.start({
      read: store.work.read,
      keep: (job, unit) => store.work.keep(job, unit),
      run: (authority, unit) =>
        diskIsFull ? Promise.reject(new Fault('DISK_FULL', 'no room')) : store.work.run(authority, unit),
    });
    const use = async (): Promise<string> => {
      const code = faultCode(() => keys.seal(cellOf(SYSTEM_REALM), SECRET));
      await settled(store);
      return code;
    };
    const codes: string[] = [];
    for (let n = 0; n < LIMITS.refuseAt + 8; n++) codes.push(await use());
    expect(codes.filter((code) => code === 'none')).toHaveLength(LIMITS.refuseAt - LIMITS.block);
    expect(codes.at(-1)).toBe('DATA_KEY_EXHAUSTED');
    expect(keys.status()[0]?.state).toBe('exhausted');
    diskIsFull = false;
    expect([await use(), await use()]).toEqual(['DATA_KEY_EXHAUSTED', 'none']);
  });

  it('are reported from the limit of warning on', async () => {
    const { store, kek, keys } = await withSystemKey(LIMITS);
    expect(keys.status()).toEqual([{ realm: SYSTEM_REALM, version: 1, reserved: 8, state: 'fine' }]);
    const later = reopened(store, kek, LIMITS);
    await later.start(store.work);
    expect(later.status()[0]?.state).toBe('warn');
  });
});

describe('a nonce', () => {
  it('is never used twice in 100 000 seals', async () => {
    const { store, kek } = await withSystemKey();
    const keys = reopened(store, kek);
    await keys.start(store.work);
    const nonces = new Set<string>();
    const cell = cellOf(SYSTEM_REALM);
    for (let seal = 0; seal < 100_000; seal++) {
      nonces.add(keys.seal(cell, SECRET).toString('latin1', 3, 15));
      if (seal % 10_000 === 0) await settled(store);
    }
    expect(nonces.size).toBe(100_000);
  });
});
