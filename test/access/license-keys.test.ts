import { describe, expect, it } from 'vitest';
import { LicenseKeys } from '../../src/access/license-keys.ts';
import { licenseKeyDigest } from '../../src/licensing/licenses/license-directory-store.ts';
import { licenseKeyForms } from '../../src/licensing/licenses/license-key.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { deleteLicenseKey, insertLicenseKey } from '../../src/storage/directory.ts';
import type { RealmId } from '../../src/storage/realm-scope.ts';
import type { Tx } from '../../src/storage/tx.ts';
import { countingDatabase } from '../support/counting-database.ts';
import { openTestStorage } from '../support/storage.ts';

const KEY = 'ACME-0123-4567-89AB-CDEF';

function record(tx: Tx, realm: RealmId): void {
  tx.record({ realm, action: 'test.changed', target: { kind: 'license', id: '-' }, outcome: 'done' });
}

async function openKeys() {
  const counting = countingDatabase();
  const storage = await openTestStorage({ database: counting.database });
  const { work, indexer } = storage;
  const key = licenseKeyDigest(indexer, KEY);
  const give = (realm: RealmId, licenseId: string) =>
    work.run(storage.authority(realm), (tx) => {
      insertLicenseKey(tx.in(realm), key, licenseId);
      record(tx, realm);
    });
  const take = (realm: RealmId, licenseId: string) =>
    work.run(storage.authority(realm), (tx) => {
      deleteLicenseKey(tx.in(realm), key.digest, licenseId);
      record(tx, realm);
    });
  const keys = new LicenseKeys({ work, indexer, random: systemRandom, forms: licenseKeyForms });
  return { ...{ storage, keys, give, take, statements: counting.statements } };
}

describe('licences found by their keys', () => {
  it('looks once for a key that leads somewhere, however often it is shown', async () => {
    const { storage, keys, give, statements } = await openKeys();
    await using _ = storage;
    await give(storage.acme.live, 'lic_1');
    expect(keys.find(KEY).places).toEqual([{ realm: storage.acme.live, licenseId: 'lic_1' }]);
    statements();
    expect(keys.find(KEY).places).toEqual([{ realm: storage.acme.live, licenseId: 'lic_1' }]);
    expect(statements()).toBe(0);
    expect(keys.find(` ${KEY.toLowerCase()}`).places).toEqual(keys.find(KEY).places);
  });

  it('remembers nothing of a key that leads nowhere', async () => {
    const { storage, keys, give } = await openKeys();
    await using _ = storage;
    for (let i = 0; i < 100; i++) expect(keys.find(`${KEY}${String(i)}`).places).toEqual([]);
    expect(keys.find(KEY).places).toEqual([]);
    expect(keys.size).toBe(0);
    await give(storage.acme.live, 'lic_1');
    expect(keys.find(KEY).places).toHaveLength(1);
  });

  it('sees at once that another tenant has got the same key, and that one has lost it', async () => {
    const { storage, keys, give, take } = await openKeys();
    await using _ = storage;
    await give(storage.acme.live, 'lic_1');
    expect(keys.find(KEY).places).toHaveLength(1);
    await give(storage.globex.live, 'lic_2');
    expect(keys.find(KEY).places.map(({ licenseId }) => licenseId)).toEqual(['lic_1', 'lic_2']);
    await take(storage.acme.live, 'lic_1');
    expect(keys.find(KEY).places.map(({ licenseId }) => licenseId)).toEqual(['lic_2']);
  });
});
