import type { RealmId } from '../storage/realm-scope.ts';
import { statement } from '../storage/statement.ts';
import type { Reader } from '../storage/tx.ts';

interface About {
  owner: RealmId;
  subject: string;
}

const BEFORE = statement<About & { before: number; limit: number }>()((db, p) =>
  db
    .selectFrom('ledger_subjects as s')
    .innerJoin('ledger_entries as e', 'e.position', 's.position')
    .select(['e.position as position', 'e.bytes as bytes', 'e.hash as hash'])
    .where('s.realm_id', '=', p.owner)
    .where('s.subject', '=', p.subject)
    .where('s.position', '<', p.before)
    .orderBy('s.position', 'desc')
    .limit(p.limit),
);

const INDEXED = statement<About & { position: number }>()((db, p) =>
  db
    .selectFrom('ledger_subjects')
    .select('position')
    .where('realm_id', '=', p.owner)
    .where('subject', '=', p.subject)
    .where('position', '=', p.position),
);

/** An entry as it is stored. */
export interface EntryAbout {
  readonly position: number;
  readonly bytes: Buffer;
  readonly hash: Buffer;
}

/** Entries about an id, newest first, at most `limit` of those below `before`. */
export function entriesAbout(
  reader: Reader,
  about: { readonly realm: RealmId; readonly subject: string },
  page: { readonly before: number; readonly limit: number },
): EntryAbout[] {
  return reader.all(BEFORE, { owner: about.realm, subject: about.subject, ...page });
}

/** Whether an entry is found under an id. */
export function isIndexed(
  reader: Reader,
  entry: { readonly realm: RealmId; readonly subject: string; readonly position: number },
): boolean {
  const { realm, subject, position } = entry;
  return reader.get(INDEXED, { owner: realm, subject, position }) !== undefined;
}
