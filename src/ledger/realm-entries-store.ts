import type { RealmId } from '../storage/realm-scope.ts';
import { statement } from '../storage/statement.ts';
import type { Reader } from '../storage/tx.ts';

const PAGE = statement<{ owner: RealmId; after: number; limit: number }>()((db, p) =>
  db
    .selectFrom('ledger_entries')
    .select(['bytes', 'hash'])
    .where('realm_id', '=', p.owner)
    .where('position', '>', p.after)
    .orderBy('position')
    .limit(p.limit),
);

/** One entry of a realm: its canonical bytes and the hash of its leaf. */
export interface RealmEntry {
  readonly bytes: Buffer;
  readonly hash: Buffer;
}

/** At most `limit` entries that concern a realm, after an index, in order. */
export function realmEntriesAfter(
  reader: Reader,
  page: { readonly realm: RealmId; readonly after: number; readonly limit: number },
): RealmEntry[] {
  return reader.all(PAGE, { owner: page.realm, after: page.after, limit: page.limit });
}
