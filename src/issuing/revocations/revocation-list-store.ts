import { createHash } from 'node:crypto';
import type { EpochMs } from '../../lib/clock.ts';
import type { DecidingColumns } from '../../storage/journal.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';

/** The newest list of a realm, without its text. */
export interface ListHead {
  readonly number: number;
  /** Files that name a lower number are refused by the list. */
  readonly minEpoch: number;
  readonly issuedAt: EpochMs;
  /** What it was made of; see `basisOf`. */
  readonly basis: string;
}

/** A list as it is given out. */
export interface StoredList extends ListHead {
  /** Compact JWS. */
  readonly jws: string;
}

/** Where a walk over rows stands: it goes on behind this row. */
export interface After {
  readonly seq: number;
  readonly limit: number;
}

const HEAD = statement()((db, p) =>
  db
    .selectFrom('revocation_lists')
    .select(['number', 'min_epoch as minEpoch', 'issued_at as issuedAt', 'basis'])
    .where('realm_id', '=', p.realm),
);

const TEXT = statement()((db, p) =>
  db.selectFrom('revocation_lists').select(['number', 'jws']).where('realm_id', '=', p.realm),
);

const STORE = statement<StoredList & { was: number }>()((db, p) =>
  db
    .insertInto('revocation_lists')
    .values({
      realm_id: p.realm,
      number: p.number,
      min_epoch: p.minEpoch,
      issued_at: p.issuedAt,
      basis: p.basis,
      jws: p.jws,
    })
    .onConflict((conflict) =>
      conflict
        .column('realm_id')
        .doUpdateSet({
          number: p.number,
          min_epoch: p.minEpoch,
          issued_at: p.issuedAt,
          basis: p.basis,
          jws: p.jws,
        })
        .where('revocation_lists.number', '=', p.was),
    ),
);

const FORGET_BASIS = statement()((db, p) =>
  db.updateTable('revocation_lists').set({ basis: '' }).where('realm_id', '=', p.realm),
);

const REVOCATIONS = statement()((db, p) =>
  db.selectFrom('realm_counters').select('revocations').where('realm_id', '=', p.realm),
);

const LICENSES = statement<After & { status: 'revoked' | 'banned' }>()((db, p) =>
  db
    .selectFrom('licenses as l')
    .innerJoin('license_usage as u', (join) =>
      join.onRef('u.realm_id', '=', 'l.realm_id').onRef('u.license_id', '=', 'l.id'),
    )
    .select(['l.seq as seq', 'l.id as id', 'u.files_until as filesUntil'])
    .where('l.realm_id', '=', p.realm)
    .where('l.status', '=', p.status)
    .where('l.seq', '>', p.seq)
    .orderBy('l.seq')
    .limit(p.limit),
);

const FILES = statement<After & { from: EpochMs }>()((db, p) =>
  db
    .selectFrom('issued_files')
    .select(['seq', 'kid', 'digest', 'expires_at as expiresAt'])
    .where('realm_id', '=', p.realm)
    .where('expires_at', '>=', p.from)
    .where((eb) => eb.or([eb('expires_at', '>', p.from), eb('seq', '>', p.seq)]))
    .orderBy('expires_at')
    .orderBy('seq')
    .limit(p.limit),
);

const NOTE_EPOCH = statement<{ number: number; until: EpochMs }>()((db, p) =>
  db
    .insertInto('file_epochs')
    .values({ realm_id: p.realm, number: p.number, files_until: p.until })
    .onConflict((conflict) =>
      conflict
        .columns(['realm_id', 'number'])
        .doUpdateSet({ files_until: p.until })
        .where('file_epochs.files_until', '<', p.until),
    ),
);

const LEAST_EPOCH = statement<{ now: EpochMs }>()((db, p) =>
  db
    .selectFrom('file_epochs')
    .select('number')
    .where('realm_id', '=', p.realm)
    .where('files_until', '>', p.now)
    .orderBy('number')
    .limit(1),
);

const DROP_EPOCHS = statement<{ below: number }>()((db, p) =>
  db.deleteFrom('file_epochs').where('realm_id', '=', p.realm).where('number', '<', p.below),
);

/** The newest list; undefined before the first. */
export function findListHead(reader: RealmReader): ListHead | undefined {
  return reader.get(HEAD, {});
}

/** Number and text of the newest list; undefined before the first. */
export function findListText(
  reader: RealmReader,
): { readonly number: number; readonly jws: string } | undefined {
  return reader.get(TEXT, {});
}

/** Stores the next list, and forgets epochs it refuses. False: another one was stored meanwhile. @param was 0: none */
export function storeList(tx: RealmTx, list: StoredList, was: number): boolean {
  if (tx.run(STORE, { ...list, was }).changes === 0) return false;
  tx.run(DROP_EPOCHS, { below: list.minEpoch });
  return true;
}

/** How often something came onto the list. */
export function countRevocations(reader: RealmReader): number {
  return reader.get(REVOCATIONS, {})?.revocations ?? 0;
}

/** Licences in a final state, in the order of their creation, and until when their files are good. */
export function endedLicenses(
  reader: RealmReader,
  page: After & { readonly status: 'revoked' | 'banned' },
): { readonly seq: number; readonly id: string; readonly filesUntil: EpochMs }[] {
  return reader.all(LICENSES, page);
}

/** Files that expire at or after `from`, behind `seq` of those at `from`, by expiry: what each is affirmed by. */
export function goodFiles(
  reader: RealmReader,
  page: After & { readonly from: EpochMs },
): { readonly seq: number; readonly kid: string; readonly digest: Buffer; readonly expiresAt: EpochMs }[] {
  return reader.all(FILES, page);
}

/** Notes that a file names the list `number` and is good `until`, in the unit that issues it. */
export function noteFileEpoch(tx: RealmTx, file: { readonly number: number; readonly until: EpochMs }): void {
  tx.run(NOTE_EPOCH, file);
}

/** The lowest number that a good file names; undefined: there is no good file. */
export function leastEpoch(reader: RealmReader, now: EpochMs): number | undefined {
  return reader.get(LEAST_EPOCH, { now })?.number;
}

/** The next list is made when it is next asked for, whatever it will say. */
export function outdateList(tx: RealmTx): void {
  tx.run(FORGET_BASIS, {});
}

/** What the ledger's digest of a list covers; its text as SHA-256. */
export function listDecides(
  list: Pick<StoredList, 'number' | 'minEpoch' | 'issuedAt' | 'jws'>,
): DecidingColumns {
  const { number, minEpoch, issuedAt, jws } = list;
  return { number, minEpoch, issuedAt, jws: createHash('sha256').update(jws, 'ascii').digest('hex') };
}

const LIST = statement()((db, p) =>
  db
    .selectFrom('revocation_lists')
    .select(['number', 'min_epoch as minEpoch', 'issued_at as issuedAt', 'jws'])
    .where('realm_id', '=', p.realm),
);

/** What {@link listDecides} covers of the list of a realm; undefined: there is none yet. */
export function listColumns(reader: RealmReader): DecidingColumns | undefined {
  const list = reader.get(LIST, {});
  return list === undefined ? undefined : listDecides(list);
}
