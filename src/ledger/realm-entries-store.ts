import type { RealmId } from '../storage/realm-scope.ts';
import { statement } from '../storage/statement.ts';
import type { Reader } from '../storage/tx.ts';

interface Range {
  after: number;
  before: number;
  limit: number;
}

const OLDEST = statement<Range & { owner: RealmId }>()((db, p) =>
  db
    .selectFrom('ledger_entries')
    .select(['bytes', 'hash'])
    .where('realm_id', '=', p.owner)
    .where('position', '>', p.after)
    .where('position', '<', p.before)
    .orderBy('position')
    .limit(p.limit),
);

const NEWEST = statement<Range & { owner: RealmId }>()((db, p) =>
  db
    .selectFrom('ledger_entries')
    .select(['bytes', 'hash'])
    .where('realm_id', '=', p.owner)
    .where('position', '>', p.after)
    .where('position', '<', p.before)
    .orderBy('position', 'desc')
    .limit(p.limit),
);

const OLDEST_ABOUT = statement<Range & { owner: RealmId; subject: string }>()((db, p) =>
  db
    .selectFrom('ledger_subjects as s')
    .innerJoin('ledger_entries as e', 'e.position', 's.position')
    .select(['e.bytes as bytes', 'e.hash as hash'])
    .where('s.realm_id', '=', p.owner)
    .where('s.subject', '=', p.subject)
    .where('s.position', '>', p.after)
    .where('s.position', '<', p.before)
    .orderBy('s.position')
    .limit(p.limit),
);

const NEWEST_ABOUT = statement<Range & { owner: RealmId; subject: string }>()((db, p) =>
  db
    .selectFrom('ledger_subjects as s')
    .innerJoin('ledger_entries as e', 'e.position', 's.position')
    .select(['e.bytes as bytes', 'e.hash as hash'])
    .where('s.realm_id', '=', p.owner)
    .where('s.subject', '=', p.subject)
    .where('s.position', '>', p.after)
    .where('s.position', '<', p.before)
    .orderBy('s.position', 'desc')
    .limit(p.limit),
);

/** One entry of a realm: its canonical bytes and the hash of its leaf. */
export interface RealmEntry {
  readonly bytes: Buffer;
  readonly hash: Buffer;
}

/** Which entries, in which order. */
export interface EntriesRange {
  /** The index that all of them are above, and the one that all of them are below. */
  readonly after: number;
  readonly before: number;
  readonly limit: number;
  readonly newestFirst: boolean;
}

/** At most `limit` entries that concern a realm. */
export function realmEntries(reader: Reader, realm: RealmId, range: EntriesRange): RealmEntry[] {
  const { newestFirst, ...bounds } = range;
  return reader.all(newestFirst ? NEWEST : OLDEST, { owner: realm, ...bounds });
}

/** At most `limit` entries of a realm that are about an id: of a licence, those about its machines and files, too. */
export function realmEntriesAbout(
  reader: Reader,
  realm: RealmId,
  range: EntriesRange & { readonly subject: string },
): RealmEntry[] {
  const { newestFirst, ...bounds } = range;
  return reader.all(newestFirst ? NEWEST_ABOUT : OLDEST_ABOUT, { owner: realm, ...bounds });
}
