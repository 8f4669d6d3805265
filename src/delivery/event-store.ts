import type { RealmReader, RealmTx } from '../storage/tx.ts';
import { statement } from '../storage/statement.ts';

interface NewEvent {
  readonly id: string;
  readonly type: string;
  readonly body: Buffer;
  readonly created_at: number;
}

/** An event as stored: `position` is its place in commit order. */
export interface StoredEvent {
  readonly position: number;
  readonly type: string;
  readonly body: Buffer;
}

const INSERT = statement<NewEvent>()((db, p) =>
  db.insertInto('events').values({
    realm_id: p.realm,
    id: p.id,
    type: p.type,
    body: p.body,
    created_at: p.created_at,
  }),
);

const PAGE = statement<{ after: number; limit: number }>()((db, p) =>
  db
    .selectFrom('events')
    .select(['position', 'type', 'body'])
    .where('realm_id', '=', p.realm)
    .where('position', '>', p.after)
    .orderBy('position')
    .limit(p.limit),
);

const PAGE_OF_TYPE = statement<{ after: number; limit: number; type: string }>()((db, p) =>
  db
    .selectFrom('events')
    .select(['position', 'type', 'body'])
    .where('realm_id', '=', p.realm)
    .where('type', '=', p.type)
    .where('position', '>', p.after)
    .orderBy('position')
    .limit(p.limit),
);

/** Inserts one event; its position is the next in commit order. */
export function insertEvent(tx: RealmTx, event: NewEvent): void {
  tx.run(INSERT, event);
}

/** Events after a position, oldest first; of one type when `type` is given. */
export function eventsAfter(
  reader: RealmReader,
  page: { readonly after: number; readonly limit: number; readonly type: string | undefined },
): StoredEvent[] {
  const { after, limit, type } = page;
  return type === undefined
    ? reader.all(PAGE, { after, limit })
    : reader.all(PAGE_OF_TYPE, { after, limit, type });
}
