import { present } from '../lib/invariant.ts';
import { type RealmId, SYSTEM_REALM } from '../storage/realm-scope.ts';
import { statement } from '../storage/statement.ts';
import type { Reader, Tx } from '../storage/tx.ts';
import { HASH_BYTES, type TreeHead } from './merkle.ts';
import { type NodeReader, headOf } from './merkle-proof.ts';
import { TILE_WIDTH, type TileId, nodesOfTiles, tileRoot } from './tiles.ts';

/** An entry as it is stored; `position` is its index. */
export interface StoredEntry {
  readonly position: number;
  /** Null: the appliance itself. */
  readonly realm: RealmId | null;
  /** The canonical bytes: the leaf. */
  readonly bytes: Buffer;
  /** The leaf's hash. */
  readonly hash: Buffer;
}

/** The sealed private part of an entry. */
export interface StoredPrivate {
  readonly position: number;
  readonly realm: RealmId;
  /** 32 bytes; deleted with the row when the person is erased. */
  readonly salt: Buffer;
  readonly sealed: Buffer;
}

/** A signed checkpoint as it is stored. */
export interface StoredCheckpoint {
  readonly size: number;
  readonly note: string;
  readonly signedAt: number;
}

const INSERT_ENTRY = statement<{ position: number; owner: RealmId | null; bytes: Buffer; hash: Buffer }>()(
  (db, p) =>
    db
      .insertInto('ledger_entries')
      .values({ position: p.position, realm_id: p.owner, bytes: p.bytes, hash: p.hash }),
);

const INSERT_PRIVATE = statement<{ position: number; owner: RealmId; salt: Buffer; sealed: Buffer }>()(
  (db, p) =>
    db
      .insertInto('ledger_private')
      .values({ position: p.position, realm_id: p.owner, salt: p.salt, sealed: p.sealed }),
);

const INSERT_SUBJECT = statement<{ owner: RealmId; subject: string; position: number }>()((db, p) =>
  db.insertInto('ledger_subjects').values({ realm_id: p.owner, subject: p.subject, position: p.position }),
);

const LAST_ENTRY = statement()((db) =>
  db.selectFrom('ledger_entries').select('position').orderBy('position', 'desc').limit(1),
);

const HASHES = statement<{ from: number; to: number }>()((db, p) =>
  db
    .selectFrom('ledger_entries')
    .select('hash')
    .where('position', '>=', p.from)
    .where('position', '<', p.to)
    .orderBy('position'),
);

const ENTRIES = statement<{ from: number; to: number }>()((db, p) =>
  db
    .selectFrom('ledger_entries')
    .select(['position', 'realm_id as realm', 'bytes', 'hash'])
    .where('position', '>=', p.from)
    .where('position', '<', p.to)
    .orderBy('position'),
);

const TILE = statement<{ level: number; number: number }>()((db, p) =>
  db.selectFrom('ledger_tiles').select('hashes').where('level', '=', p.level).where('number', '=', p.number),
);

const WRITE_TILE = statement<{ level: number; number: number; hashes: Buffer }>()((db, p) =>
  db
    .insertInto('ledger_tiles')
    .values({ level: p.level, number: p.number, hashes: p.hashes })
    .onConflict((conflict) => conflict.columns(['level', 'number']).doUpdateSet({ hashes: p.hashes })),
);

const INSERT_CHECKPOINT = statement<{ size: number; note: string; now: number }>()((db, p) =>
  db
    .insertInto('ledger_checkpoints')
    .values({ size: p.size, note: p.note, signed_at: p.now })
    .onConflict((conflict) => conflict.column('size').doUpdateSet({ note: p.note, signed_at: p.now })),
);

const CHECKPOINTS = statement<{ from: number; to: number; limit: number }>()((db, p) =>
  db
    .selectFrom('ledger_checkpoints')
    .select(['size', 'note', 'signed_at as signedAt'])
    .where('size', '>=', p.from)
    .where('size', '<=', p.to)
    .orderBy('size')
    .limit(p.limit),
);

const LAST_CHECKPOINT = statement()((db) =>
  db
    .selectFrom('ledger_checkpoints')
    .select(['size', 'note', 'signed_at as signedAt'])
    .orderBy('size', 'desc')
    .limit(1),
);

const REALM_NAME = statement<{ owner: RealmId }>()((db, p) =>
  db.selectFrom('realms').select(['tenant_id as tenant', 'environment']).where('realm_id', '=', p.owner),
);

const LEDGER_KEYS = statement()((db) =>
  db
    .selectFrom('signing_keys')
    .select('public_key as publicKey')
    .where('purpose', '=', 'ledger')
    .orderBy('not_before')
    .orderBy('created_at'),
);

/**
 * Stores one entry and, where it completes one, the tiles above it. A tile of leaves is written once, when it is full;
 * a tile of a higher level grows by one hash whenever a tile below it is full, so that no node is ever computed from
 * more than 255 others.
 */
export function insertEntry(tx: Tx, entry: StoredEntry): void {
  tx.run(INSERT_ENTRY, {
    position: entry.position,
    owner: entry.realm,
    bytes: entry.bytes,
    hash: entry.hash,
  });
  const size = entry.position + 1;
  if (size % TILE_WIDTH !== 0) return;
  const leaves = { level: 0, number: size / TILE_WIDTH - 1 };
  const hashes = Buffer.concat(tx.all(HASHES, { from: size - TILE_WIDTH, to: size }).map(({ hash }) => hash));
  tx.run(WRITE_TILE, { ...leaves, hashes });
  growTileAbove(tx, leaves, hashes);
}

function growTileAbove(tx: Tx, below: TileId, full: Buffer): void {
  const id = { level: below.level + 1, number: Math.floor(below.number / TILE_WIDTH) };
  const known = tx.get(TILE, id)?.hashes ?? Buffer.alloc(0);
  const hashes = Buffer.concat([known, tileRoot(full)]);
  tx.run(WRITE_TILE, { ...id, hashes });
  if (hashes.length === full.length) growTileAbove(tx, id, hashes);
}

/** Stores the sealed private part of an entry. `realm` null: the appliance's own. */
export function insertPrivate(tx: Tx, part: StoredPrivate): void {
  tx.run(INSERT_PRIVATE, {
    position: part.position,
    owner: part.realm,
    salt: part.salt,
    sealed: part.sealed,
  });
}

/** Stores under which ids an entry is found in its realm; those of the appliance itself in the system realm. */
export function insertSubjects(
  tx: Tx,
  entry: { readonly realm: RealmId; readonly position: number; readonly subjects: readonly string[] },
): void {
  const { realm, position, subjects } = entry;
  for (const subject of subjects) tx.run(INSERT_SUBJECT, { owner: realm, subject, position });
}

/** The realm under whose data key the private part of an entry is sealed. */
export function sealingRealm(realm: RealmId | null): RealmId {
  return realm ?? SYSTEM_REALM;
}

/** How many entries are stored. */
export function ledgerSize(reader: Reader): number {
  return (reader.get(LAST_ENTRY, {})?.position ?? -1) + 1;
}

/** Reads nodes of the tree from stored tiles, and from the leaves where a tile is not full yet. */
export function storedNodes(reader: Reader): NodeReader {
  return nodesOfTiles((id) => readTile(reader, id, TILE_WIDTH));
}

/** The first `width` hashes of a tile, as far as there are any. */
export function readTile(reader: Reader, id: TileId, width: number): Buffer {
  const stored = reader.get(TILE, { level: id.level, number: id.number })?.hashes;
  if (stored !== undefined) return stored.subarray(0, width * HASH_BYTES);
  const from = id.number * TILE_WIDTH;
  const rows = id.level === 0 ? reader.all(HASHES, { from, to: from + width }) : [];
  return Buffer.concat(rows.map(({ hash }) => hash));
}

/** The head of everything stored. */
export function storedHead(reader: Reader): TreeHead {
  return headOf(storedNodes(reader), ledgerSize(reader));
}

/** Entries `from` up to, not including, `to`. */
export function readEntries(
  reader: Reader,
  range: { readonly from: number; readonly to: number },
): StoredEntry[] {
  return reader.all(ENTRIES, { from: range.from, to: range.to });
}

/** Stores a signed checkpoint; a second one over the same size (signed by one more key) replaces the first. */
export function insertCheckpoint(tx: Tx, checkpoint: { readonly size: number; readonly note: string }): void {
  tx.run(INSERT_CHECKPOINT, { size: checkpoint.size, note: checkpoint.note, now: tx.now });
}

/** At most `limit` checkpoints over `from` to `to` entries, both included, in order. */
export function readCheckpoints(
  reader: Reader,
  range: { readonly from: number; readonly to: number; readonly limit: number },
): StoredCheckpoint[] {
  return reader.all(CHECKPOINTS, { from: range.from, to: range.to, limit: range.limit });
}

/** The checkpoint over most entries. */
export function lastCheckpoint(reader: Reader): StoredCheckpoint | undefined {
  return reader.get(LAST_CHECKPOINT, {});
}

/** `<tenant id>/<environment>` of a realm. */
export function realmName(reader: Reader, realm: RealmId): string {
  const row = present(reader.get(REALM_NAME, { owner: realm }), 'an entry concerns a realm that exists');
  return row.tenant === null ? row.environment : `${row.tenant}/${row.environment}`;
}

/** Public keys (SPKI, DER) of every ledger key there was, the first one first. */
export function ledgerPublicKeys(reader: Reader): Buffer[] {
  return reader.all(LEDGER_KEYS, {}).map(({ publicKey }) => publicKey);
}
