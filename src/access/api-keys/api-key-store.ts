import type { Indexer, KeyedDigest, Sealer } from '../../custody/sealer.ts';
import type { EpochMs } from '../../lib/clock.ts';
import { findApiKey, insertApiKey as insertInDirectory, type FoundApiKey } from '../../storage/directory.ts';
import { type RealmId, SYSTEM_REALM } from '../../storage/realm-scope.ts';
import { statement } from '../../storage/statement.ts';
import type { Reader, RealmReader, RealmTx } from '../../storage/tx.ts';
import type { Scope } from '../scopes.ts';
import type { ApiKey, ApiKeyUse, Tier } from './api-key.ts';

/** Column lists of one row, as every query names them. */
const COLUMNS = [
  'id',
  'kind',
  'name',
  'scopes',
  'allowed_cidrs as allowedCidrs',
  'tier',
  'public_id as publicId',
  'secret_hash as secretHash',
  'previous_secret_hash as previousSecretHash',
  'previous_valid_until as previousValidUntil',
  'index_version as indexVersion',
  'last_four as lastFour',
  'issue_limit_per_day as issueLimitPerDay',
  'issue_limit_total as issueLimitTotal',
  'allowed_products as allowedProducts',
  'cascade',
  'created_by as createdBy',
  'expires_at as expiresAt',
  'revoked_at as revokedAt',
  'rotated_at as rotatedAt',
  'version',
  'created_at as createdAt',
  'updated_at as updatedAt',
] as const;

const ONE = statement<{ id: string }>()((db, p) =>
  db.selectFrom('api_keys').select(COLUMNS).where('realm_id', '=', p.realm).where('id', '=', p.id),
);

/** Newest first: a page is what was made before its cursor. */
const PAGE = statement<{ before: number; limit: number }>()((db, p) =>
  db
    .selectFrom('api_keys')
    .select([...COLUMNS, 'seq'])
    .where('realm_id', '=', p.realm)
    .where('seq', '<', p.before)
    .orderBy('seq', 'desc')
    .limit(p.limit),
);

const CASCADING = statement<{ maker: string }>()((db, p) =>
  db
    .selectFrom('api_keys')
    .select(COLUMNS)
    .where('realm_id', '=', p.realm)
    .where('created_by', '=', p.maker)
    .where('cascade', '=', 1),
);

const INSERT = statement<Omit<ApiKey, keyof Texts | 'version'> & Texts>()((db, p) =>
  db.insertInto('api_keys').values({
    realm_id: p.realm,
    id: p.id,
    kind: p.kind,
    name: p.name,
    scopes: p.scopes,
    allowed_cidrs: p.allowedCidrs,
    tier: p.tier,
    public_id: p.publicId,
    secret_hash: p.secretHash,
    previous_secret_hash: p.previousSecretHash,
    previous_valid_until: p.previousValidUntil,
    index_version: p.indexVersion,
    last_four: p.lastFour,
    issue_limit_per_day: p.issueLimitPerDay,
    issue_limit_total: p.issueLimitTotal,
    allowed_products: p.allowedProducts,
    cascade: p.cascade,
    created_by: p.createdBy,
    expires_at: p.expiresAt,
    revoked_at: p.revokedAt,
    rotated_at: p.rotatedAt,
    created_at: p.createdAt,
    updated_at: p.updatedAt,
  }),
);

const UPDATE = statement<Omit<Changed, keyof Texts> & Texts & { relied: number }>()((db, p) =>
  db
    .updateTable('api_keys')
    .set((eb) => ({
      name: p.name,
      scopes: p.scopes,
      allowed_cidrs: p.allowedCidrs,
      tier: p.tier,
      issue_limit_per_day: p.issueLimitPerDay,
      issue_limit_total: p.issueLimitTotal,
      allowed_products: p.allowedProducts,
      cascade: p.cascade,
      expires_at: p.expiresAt,
      secret_hash: p.secretHash,
      previous_secret_hash: p.previousSecretHash,
      previous_valid_until: p.previousValidUntil,
      index_version: p.indexVersion,
      last_four: p.lastFour,
      revoked_at: p.revokedAt,
      rotated_at: p.rotatedAt,
      updated_at: p.updatedAt,
      version: eb('version', '+', 1),
    }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('version', '=', p.relied),
);

const USE = statement<{ id: string }>()((db, p) =>
  db
    .selectFrom('api_key_usage')
    .select(['last_used_at as lastUsedAt', 'last_used_from as lastUsedFrom'])
    .where('realm_id', '=', p.realm)
    .where('api_key_id', '=', p.id),
);

const NOTE_USE = statement<{ id: string; at: EpochMs; from: Buffer }>()((db, p) =>
  db
    .insertInto('api_key_usage')
    .values({ realm_id: p.realm, api_key_id: p.id, last_used_at: p.at, last_used_from: p.from })
    .onConflict((conflict) =>
      conflict
        .columns(['realm_id', 'api_key_id'])
        .doUpdateSet({ last_used_at: p.at, last_used_from: p.from }),
    ),
);

const BEGIN_COUNT = statement<Issued>()((db, p) =>
  db
    .insertInto('api_key_usage')
    .values({
      realm_id: p.realm,
      api_key_id: p.id,
      issued_day: p.day,
      issued_count: p.count,
      issued_total: p.count,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['realm_id', 'api_key_id'])
        .doUpdateSet((eb) => ({
          issued_day: p.day,
          issued_count: p.count,
          issued_total: eb('api_key_usage.issued_total', '+', p.count),
        }))
        .where('api_key_usage.issued_day', '!=', p.day)
        .where('api_key_usage.issued_total', '<=', p.total),
    ),
);

const COUNT = statement<Issued>()((db, p) =>
  db
    .updateTable('api_key_usage')
    .set((eb) => ({
      issued_count: eb('issued_count', '+', p.count),
      issued_total: eb('issued_total', '+', p.count),
    }))
    .where('realm_id', '=', p.realm)
    .where('api_key_id', '=', p.id)
    .where('issued_day', '=', p.day)
    .where('issued_count', '<=', p.limit)
    .where('issued_total', '<=', p.total),
);

/** What a key issues at once, and what it may in a day and in all. */
export interface Issued {
  readonly id: string;
  readonly day: number;
  readonly count: number;
  readonly limit: number;
  readonly total: number;
}

/** Members that are stored in another form. */
interface Texts {
  readonly scopes: string;
  readonly allowedCidrs: string;
  readonly allowedProducts: string;
  readonly cascade: number;
}

/** What changing, rotating and revoking change. */
export type Changed = Pick<
  ApiKey,
  | 'id'
  | 'name'
  | 'scopes'
  | 'allowedCidrs'
  | 'tier'
  | 'issueLimitPerDay'
  | 'issueLimitTotal'
  | 'allowedProducts'
  | 'cascade'
  | 'expiresAt'
  | 'secretHash'
  | 'previousSecretHash'
  | 'previousValidUntil'
  | 'indexVersion'
  | 'lastFour'
  | 'revokedAt'
  | 'rotatedAt'
  | 'updatedAt'
>;

const LOOKUP = { purpose: 'lookup', table: 'api_key_directory', column: 'public_id' } as const;
const SECRET = { purpose: 'secret', table: 'api_keys', column: 'secret' } as const;

/** Keyed digest of a key's secret, current version. The appliance's index key: an unknown id costs the same. */
export function secretDigest(indexer: Indexer, secret: string): KeyedDigest {
  return indexer.digest(SYSTEM_REALM, SECRET, secret);
}

/** Keyed digests of a key's secret under every live version. */
export function secretCandidates(indexer: Indexer, secret: string): readonly KeyedDigest[] {
  return indexer.candidates(SYSTEM_REALM, SECRET, secret);
}

/** Where a public id leads; undefined when nowhere. */
export function findByPublicId(reader: Reader, indexer: Indexer, publicId: string): FoundApiKey | undefined {
  return findApiKey(reader, indexer.candidates(SYSTEM_REALM, LOOKUP, publicId));
}

/** One key of a realm. */
export function findKey(reader: RealmReader, id: string): ApiKey | undefined {
  const row = reader.get(ONE, { id });
  return row === undefined ? undefined : keyOf(row);
}

/** Keys that a key made and that end with it, revoked ones too. */
export function cascadingFrom(reader: RealmReader, id: string): ApiKey[] {
  return reader.all(CASCADING, { maker: `api-key:${id}` }).map(keyOf);
}

/** Keys of a realm, newest first, made before `before` (a sequence number). */
export function pageOfKeys(
  reader: RealmReader,
  page: { readonly before: number; readonly limit: number },
): { readonly seq: number; readonly key: ApiKey }[] {
  return reader.all(PAGE, page).map(({ seq, ...row }) => ({ seq, key: keyOf(row) }));
}

/** Stores a new key and the way to it. */
export function insertKey(tx: RealmTx, indexer: Indexer, key: Omit<ApiKey, 'version'>): void {
  tx.run(INSERT, { ...key, ...textsOf(key) });
  insertInDirectory(tx, indexer.digest(SYSTEM_REALM, LOOKUP, key.publicId), key.id);
}

/** Changes a key while it has the version relied on. False: it has another. */
export function updateKey(tx: RealmTx, changed: Changed, relied: number): boolean {
  const { id, name, tier, issueLimitPerDay, issueLimitTotal, expiresAt, revokedAt } = changed;
  const { secretHash, previousSecretHash, previousValidUntil, indexVersion, lastFour } = changed;
  const { rotatedAt, updatedAt } = changed;
  const values = {
    ...{ id, name, tier, issueLimitPerDay, issueLimitTotal, expiresAt, revokedAt },
    ...{ secretHash, previousSecretHash, previousValidUntil, indexVersion, lastFour },
    ...{ rotatedAt, updatedAt, relied },
  };
  return tx.run(UPDATE, { ...values, ...textsOf(changed) }).changes === 1;
}

/** When and from where a key was last used. */
export function useOf(
  reader: RealmReader,
  sealer: Pick<Sealer, 'open'>,
  at: { readonly realm: RealmId; readonly id: string },
): ApiKeyUse {
  const row = reader.get(USE, { id: at.id });
  if (row === undefined) return { lastUsedAt: null, lastUsedFrom: null };
  const { lastUsedAt, lastUsedFrom } = row;
  const from = lastUsedFrom === null ? null : sealer.open(useCell(at), lastUsedFrom).toString('utf8');
  return { lastUsedAt, lastUsedFrom: from };
}

/** Notes a use; bookkeeping. An address leads to a person: sealed. */
export function noteUse(
  tx: RealmTx,
  sealer: Pick<Sealer, 'seal'>,
  use: { readonly realm: RealmId; readonly id: string; readonly at: EpochMs; readonly from: string },
): void {
  const from = sealer.seal(useCell(use), Buffer.from(use.from));
  tx.run(NOTE_USE, { id: use.id, at: use.at, from });
}

/**
 * Counts what a key issues on a day (days since the epoch) against its limits of a day and in all, by one conditional
 * statement. False: one of them would be passed, and nothing was counted.
 */
export function countIssued(tx: RealmTx, issued: Issued): boolean {
  const { id, day, count, limit, total } = issued;
  if (count > limit || count > total) return false;
  const left = { id, day, count, limit: limit - count, total: total - count };
  if (tx.run(BEGIN_COUNT, left).changes === 1) return true;
  return tx.run(COUNT, left).changes === 1;
}

function useCell(at: { readonly realm: RealmId; readonly id: string }): Parameters<Sealer['seal']>[0] {
  return { realm: at.realm, table: 'api_key_usage', column: 'last_used_from', row: at.id };
}

function textsOf(key: Pick<ApiKey, keyof Texts>): Texts {
  const { scopes, allowedCidrs, allowedProducts, cascade } = key;
  return {
    scopes: JSON.stringify(scopes),
    allowedCidrs: JSON.stringify(allowedCidrs),
    allowedProducts: JSON.stringify(allowedProducts),
    cascade: cascade ? 1 : 0,
  };
}

type Row = Omit<ApiKey, keyof Texts | 'tier'> & Texts & { readonly tier: string };

function keyOf(row: Row): ApiKey {
  return {
    ...row,
    // Written by insertKey from values the schema had checked.
    scopes: JSON.parse(row.scopes) as Scope[],
    allowedCidrs: JSON.parse(row.allowedCidrs) as string[], // the same
    allowedProducts: JSON.parse(row.allowedProducts) as string[], // the same
    cascade: row.cascade === 1,
    tier: row.tier as Tier, // the same
  };
}
