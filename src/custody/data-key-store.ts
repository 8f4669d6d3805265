import type { RealmId } from '../storage/realm-scope.ts';
import { statement } from '../storage/statement.ts';
import type { Reader, Tx } from '../storage/tx.ts';

/** A wrapped data or index key as it is stored. */
export interface WrappedKeyRow {
  readonly realm: RealmId;
  /** From 1 up, per realm. */
  readonly version: number;
  /** RFC 3394 under a key derived from the key-encryption key. */
  readonly wrapped: Buffer;
}

/** How many uses of a data key are spoken for; never fewer than there were. */
export interface KeyUsageRow {
  readonly realm: RealmId;
  readonly version: number;
  readonly reserved: number;
}

type NewKey = WrappedKeyRow & { readonly now: number };

const LIST_DATA_KEYS = statement()((db) =>
  db
    .selectFrom('data_keys')
    .select(['realm_id as realm', 'version', 'wrapped'])
    .orderBy('realm_id')
    .orderBy('version'),
);

const LIST_INDEX_KEYS = statement()((db) =>
  db
    .selectFrom('index_keys')
    .select(['realm_id as realm', 'version', 'wrapped'])
    .orderBy('realm_id')
    .orderBy('version'),
);

const LIST_USAGE = statement()((db) =>
  db
    .selectFrom('data_key_usage')
    .select(['realm_id as realm', 'version', 'reserved'])
    .orderBy('realm_id')
    .orderBy('version'),
);

const INSERT_DATA_KEY = statement<Owned<NewKey>>()((db, p) =>
  db
    .insertInto('data_keys')
    .values({ realm_id: p.owner, version: p.version, wrapped: p.wrapped, created_at: p.now }),
);

const INSERT_INDEX_KEY = statement<Owned<NewKey>>()((db, p) =>
  db
    .insertInto('index_keys')
    .values({ realm_id: p.owner, version: p.version, wrapped: p.wrapped, created_at: p.now }),
);

const INSERT_USAGE = statement<Owned<KeyUsageRow>>()((db, p) =>
  db.insertInto('data_key_usage').values({ realm_id: p.owner, version: p.version, reserved: p.reserved }),
);

const USAGE_OF = statement<{ owner: RealmId; version: number }>()((db, p) =>
  db
    .selectFrom('data_key_usage')
    .select('reserved')
    .where('realm_id', '=', p.owner)
    .where('version', '=', p.version),
);

const SET_USAGE = statement<Owned<KeyUsageRow>>()((db, p) =>
  db
    .updateTable('data_key_usage')
    .set({ reserved: p.reserved })
    .where('realm_id', '=', p.owner)
    .where('version', '=', p.version),
);

const DELETE_DATA_KEY = statement<{ owner: RealmId; version: number }>()((db, p) =>
  db.deleteFrom('data_keys').where('realm_id', '=', p.owner).where('version', '=', p.version),
);

const DELETE_USAGE = statement<{ owner: RealmId; version: number }>()((db, p) =>
  db.deleteFrom('data_key_usage').where('realm_id', '=', p.owner).where('version', '=', p.version),
);

const SET_DATA_KEY = statement<Owned<WrappedKeyRow>>()((db, p) =>
  db
    .updateTable('data_keys')
    .set({ wrapped: p.wrapped })
    .where('realm_id', '=', p.owner)
    .where('version', '=', p.version),
);

const SET_INDEX_KEY = statement<Owned<WrappedKeyRow>>()((db, p) =>
  db
    .updateTable('index_keys')
    .set({ wrapped: p.wrapped })
    .where('realm_id', '=', p.owner)
    .where('version', '=', p.version),
);

/** `realm` is what a statement on realm-owned rows is bound to; these tables belong to the appliance. */
type Owned<T extends { realm: RealmId }> = Omit<T, 'realm'> & { readonly owner: RealmId };

/** Every data key, wrapped, by realm and version. */
export function listDataKeys(reader: Reader): WrappedKeyRow[] {
  return reader.all(LIST_DATA_KEYS, {});
}

/** Every index key, wrapped, by realm and version. */
export function listIndexKeys(reader: Reader): WrappedKeyRow[] {
  return reader.all(LIST_INDEX_KEYS, {});
}

/** The uses spoken for of every data key. */
export function listKeyUsage(reader: Reader): KeyUsageRow[] {
  return reader.all(LIST_USAGE, {});
}

/** Stores a new data key with the uses it starts with. The unit records why. */
export function insertDataKey(tx: Tx, key: WrappedKeyRow, reserved: number): void {
  const { realm: owner, version, wrapped } = key;
  tx.run(INSERT_DATA_KEY, { owner, version, wrapped, now: tx.now });
  tx.run(INSERT_USAGE, { owner, version, reserved });
}

/** Stores a new index key. The unit records why. */
export function insertIndexKey(tx: Tx, { realm: owner, version, wrapped }: WrappedKeyRow): void {
  tx.run(INSERT_INDEX_KEY, { owner, version, wrapped, now: tx.now });
}

/** The uses spoken for of one data key; undefined when there is no such key. */
export function readKeyUsage(reader: Reader, realm: RealmId, version: number): number | undefined {
  return reader.get(USAGE_OF, { owner: realm, version })?.reserved;
}

/** Writes the uses spoken for of one data key. */
export function writeKeyUsage(tx: Tx, { realm: owner, version, reserved }: KeyUsageRow): void {
  tx.run(SET_USAGE, { owner, version, reserved });
}

/** Deletes a wrapped data key and its count; its bytes are overwritten. The unit records why. */
export function deleteDataKey(
  tx: Tx,
  { realm: owner, version }: Pick<WrappedKeyRow, 'realm' | 'version'>,
): void {
  tx.run(DELETE_DATA_KEY, { owner, version });
  tx.run(DELETE_USAGE, { owner, version });
}

/** Stores a data key as it is wrapped now. The unit records why. */
export function rewriteDataKey(tx: Tx, { realm: owner, version, wrapped }: WrappedKeyRow): void {
  tx.run(SET_DATA_KEY, { owner, version, wrapped });
}

/** Stores an index key as it is wrapped now. The unit records why. */
export function rewriteIndexKey(tx: Tx, { realm: owner, version, wrapped }: WrappedKeyRow): void {
  tx.run(SET_INDEX_KEY, { owner, version, wrapped });
}
