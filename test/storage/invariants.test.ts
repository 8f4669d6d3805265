import { describe, expect, it } from 'vitest';
import { assertInvariants, brokenInvariants } from '../support/invariants.ts';
import { openTestStorage } from '../support/storage.ts';

const PRODUCT = `INSERT INTO products (realm_id, id, code, name, key_prefix, signing_kid, created_at, updated_at)
  VALUES (1, 'prod_1', 'app', 'App', 'APP', 'kid', 0, 0)`;
const POLICY = `INSERT INTO policies (realm_id, id, product_id, name, code, template_version, settings, created_at, updated_at)
  VALUES (1, 'pol_1', 'prod_1', 'P', 'p', 1, '{}', 0, 0)`;
const LICENSE = `INSERT INTO licenses
  (realm_id, id, product_id, policy_id, status, key_hash, key_masked, key_origin, created_at, updated_at)
  VALUES (1, 'lic_1', 'prod_1', 'pol_1', 'active', x'01', 'A', 'generated', 0, 0)`;
const directory = (hash: string, id: string) =>
  `INSERT INTO license_directory (key_hash, index_version, realm_id, license_id) VALUES (x'${hash}', 1, 1, '${id}')`;
const DIRECTORY = directory('01', 'lic_1');
const SEATS =
  "INSERT INTO license_seats (realm_id, license_id, seats, fingerprints) VALUES (1, 'lic_1', 1, 1)";
const USER_SEATS = "INSERT INTO license_user_seats VALUES (1, 'lic_1', x'07', 1)";
const FINGERPRINT = "INSERT INTO license_fingerprints VALUES (1, 'lic_1', x'02', 1)";
const PRODUCT_SEATS = "INSERT INTO product_seats VALUES (1, 'prod_1', 1)";
const COUNTERS = 'INSERT INTO realm_counters (realm_id, licenses, machines, records) VALUES (1, 1, 1, 6)';
const DAYS = "INSERT INTO day_counts VALUES (1, 'activation', 0, '', 1), (1, 'file', 0, '', 1)";
const MACHINE = `INSERT INTO machines
  (realm_id, id, license_id, product_id, fingerprint_hash, fingerprint_sealed, user_index, index_version, created_at, updated_at)
  VALUES (1, 'mach_1', 'lic_1', 'prod_1', x'02', x'03', x'07', 1, 0, 0)`;
const COMPONENT = `INSERT INTO machine_components (realm_id, machine_id, license_id, name, value_hash, index_version)
  VALUES (1, 'mach_1', 'lic_1', 'disk', x'08', 1)`;
const USAGE = "INSERT INTO machine_usage (realm_id, machine_id, license_id) VALUES (1, 'mach_1', 'lic_1')";
const FILE = `INSERT INTO issued_files
  (realm_id, id, kind, branch, branch_seq, license_id, machine_id, kid, digest, issued_at, expires_at)
  VALUES (1, 'file_1', 'machine', 'b', 5, 'lic_1', 'mach_1', 'kid', x'04', 0, 0)`;
const EVENT = `INSERT INTO events (realm_id, id, type, body, created_at) VALUES (1, 'evt_1', 't', '{"id":"evt_1"}', 0)`;

const SOUND = [
  PRODUCT,
  POLICY,
  LICENSE,
  DIRECTORY,
  SEATS,
  USER_SEATS,
  FINGERPRINT,
  MACHINE,
  COMPONENT,
  USAGE,
  FILE,
  PRODUCT_SEATS,
  COUNTERS,
  DAYS,
  EVENT.replace("'{", "CAST('{").replace("}'", "}' AS BLOB)"),
];

const BREAKS: readonly (readonly [string, string])[] = [
  ['a licence whose seats are not the number of its living machines', 'UPDATE license_seats SET seats = 2'],
  ['a user of a licence whose seats are not the number', 'UPDATE license_user_seats SET seats = 2'],
  ['a user of a licence whose seats are not the number', 'DELETE FROM license_user_seats'],
  ['a user of a licence whose seats are not the number', 'UPDATE machines SET user_index = NULL'],
  ['a licence whose count of fingerprints', 'UPDATE license_seats SET fingerprints = 2'],
  ['a living machine whose fingerprint its licence does not remember', 'DELETE FROM license_fingerprints'],
  [
    'a component or a usage row that names another licence',
    "UPDATE machine_components SET license_id = 'lic_9'",
  ],
  ['a component or a usage row that names another licence', "UPDATE machine_usage SET license_id = 'lic_9'"],
  ['a component or a usage row that names another licence', 'UPDATE machine_components SET living = 0'],
  ['a living machine of a licence that counts no seats', 'DELETE FROM license_seats'],
  ['a living machine of a deleted licence', 'UPDATE licenses SET deleted_at = 1'],
  ['a living policy of a deleted product', 'UPDATE products SET deleted_at = 1'],
  ['a living licence of a deleted policy or product', 'UPDATE policies SET deleted_at = 1'],
  ['a licence that its key does not lead to', 'DELETE FROM license_directory'],
  ['a key that leads to no licence', directory('09', 'lic_9')],
  [
    'a public id that leads to no API key',
    `INSERT INTO api_key_directory (public_id_hash, index_version, realm_id, api_key_id) VALUES (x'09', 1, 1, 'key_9')`,
  ],
  ['an issued file whose machine does not exist', "UPDATE issued_files SET machine_id = 'mach_9'"],
  [
    'a number of an issued file above what was reserved',
    "INSERT INTO job_state VALUES ('file-sequence:b', '4', 0)",
  ],
  ['an event that is no JSON object, or whose id differs from its row', "UPDATE events SET id = 'evt_2'"],
  ['a gap in the ledger', 'DELETE FROM ledger_entries WHERE position = 0'],
  ['a private part of an entry that does not exist', "INSERT INTO ledger_private VALUES (99, 0, x'', x'')"],
  [
    'an index row of the ledger for an entry of another realm',
    "INSERT INTO ledger_subjects VALUES (2, 'lic_1', 0)",
  ],
  ['a checkpoint of more entries than there are', "INSERT INTO ledger_checkpoints VALUES (99, '', 0)"],
  ['policy settings that are no JSON object', "UPDATE policies SET settings = '[]'"],
  ['a realm counter that is not the number of living rows', 'UPDATE realm_counters SET licenses = 2'],
  [
    'a realm counter of a state that is not the number of living rows',
    "UPDATE licenses SET status = 'suspended'",
  ],
  ['a realm counter of a state that is not the number of living rows', 'UPDATE machines SET alive = 0'],
  ['a count of records', 'UPDATE realm_counters SET records = 5'],
  ['seats of a product that are not those of its licences', 'DELETE FROM product_seats'],
  ['a count of activations or files of a day', "UPDATE day_counts SET count = 2 WHERE kind = 'activation'"],
  ['a count of activations or files of a day', "UPDATE day_counts SET count = 2 WHERE kind = 'file'"],
  ['a reference to nothing', 'DELETE FROM policies'],
];

describe('the invariants', () => {
  it('hold for a sound database', async () => {
    await using storage = await openTestStorage();
    for (const statement of SOUND) storage.database.native.exec(statement);
    assertInvariants(storage.database);
    expect(brokenInvariants(storage.database)).toEqual([]);
  });

  it.each(BREAKS)('find %s', async (what, statement) => {
    await using storage = await openTestStorage();
    const { native } = storage.database;
    for (const sound of SOUND) native.exec(sound);
    native.pragma('foreign_keys = OFF');
    native.exec(statement);
    const found = brokenInvariants(storage.database).map((broken) => broken.what);
    expect(
      found.filter((broken) => broken.startsWith(what)),
      found.join('; '),
    ).toHaveLength(1);
    expect(() => assertInvariants(storage.database)).toThrow();
  });
});
