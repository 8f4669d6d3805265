import type { TableName } from '../../../src/storage/tables.ts';

/** Why an edit of a column is not looked for. */
type Free = string;

const EDITED = 'the version and the time of an edit: who relies on the version has read the row as it is';
const SEALED = 'sealed under a key that the editor does not have';
const SHOWN = 'shown to people, and decides nothing';
const WRAPPED = 'wrapped under the key-encryption key: another one does not unwrap';
const INDEX = 'says with which index key a digest was made: look-ups try every one';
const PLACE = 'order of rows';

/**
 * Columns of recorded tables whose edit `doctor --deep` does not find, each with its reason. Every other column of every
 * recorded table is edited by the tests, and the edit has to be found: a new column is found, or it gets its line here.
 */
export const UNGUARDED: Readonly<Partial<Record<TableName, Readonly<Record<string, Free>>>>> = {
  tenants: {
    name: SHOWN,
    contact: SEALED,
    version: EDITED,
    created_at: SHOWN,
    updated_at: EDITED,
  },
  license_directory: {
    index_version: INDEX,
    purged_at: 'a key that leads nowhere does so with or without it',
  },
  api_key_directory: { index_version: INDEX },
  data_keys: { wrapped: WRAPPED, created_at: SHOWN, version: WRAPPED, realm_id: WRAPPED },
  index_keys: { wrapped: WRAPPED, created_at: SHOWN, version: WRAPPED, realm_id: WRAPPED },
  signing_keys: {
    reference: 'the key found there is compared with the public key',
    public_key: 'compared with the key that its custodian holds',
    version: EDITED,
    created_at: SHOWN,
    updated_at: EDITED,
  },
  products: {
    seq: PLACE,
    name: SHOWN,
    description: SHOWN,
    metadata: SEALED,
    version: EDITED,
    created_at: SHOWN,
    updated_at: EDITED,
  },
  policies: {
    seq: PLACE,
    name: SHOWN,
    metadata: SEALED,
    version: EDITED,
    created_at: SHOWN,
    updated_at: EDITED,
  },
  entitlements: {
    seq: PLACE,
    name: SHOWN,
    metadata: SEALED,
    version: EDITED,
    created_at: SHOWN,
    updated_at: EDITED,
  },
  licenses: {
    seq: PLACE,
    status_since: SHOWN,
    key_masked: SHOWN,
    personal: SEALED,
    user_email_index: 'by it lists are filtered, and nothing is decided',
    first_activated_at: 'when a term began is its end, which is compared',
    first_validated_at: 'when a term began is its end, which is compared',
    version: EDITED,
    created_at: SHOWN,
    updated_at: EDITED,
  },
  revocation_lists: { basis: 'when a next list is made: what it says comes from rows that are compared' },
  license_fingerprints: { index_version: INDEX },
  machines: {
    seq: PLACE,
    index_version: INDEX,
    platform: SHOWN,
    cores: SHOWN,
    personal: SEALED,
    version: EDITED,
    updated_at: EDITED,
    deleted_with_license: 'which removed machines come back with their licence, for whoever may restore it',
  },
  machine_components: {
    name: 'by it a machine that lost its key is recognised, within its own licence alone',
    value_hash: 'by it a machine that lost its key is recognised, within its own licence alone',
    index_version: INDEX,
  },
  issued_files: { seq: PLACE },
  api_keys: {
    seq: PLACE,
    name: SHOWN,
    index_version: INDEX,
    last_four: SHOWN,
    rotated_at: 'reminders',
    version: EDITED,
    created_at: 'reminders',
    updated_at: EDITED,
  },
};
