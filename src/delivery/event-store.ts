import { present } from '../lib/invariant.ts';
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

const PLACES = statement<{ after: number; limit: number; type: string }>()((db, p) =>
  db
    .selectFrom('events')
    .select('position')
    .where('realm_id', '=', p.realm)
    .where('type', '=', p.type)
    .where('position', '>', p.after)
    .orderBy('position')
    .limit(p.limit),
);

const ONE = statement<{ position: number }>()((db, p) =>
  db
    .selectFrom('events')
    .select(['position', 'type', 'body'])
    .where('realm_id', '=', p.realm)
    .where('position', '=', p.position),
);

/** The first events of a realm are its oldest: positions and times grow together. */
const FIRST = statement<{ limit: number }>()((db, p) =>
  db
    .selectFrom('events')
    .select(['position', 'created_at as createdAt'])
    .where('realm_id', '=', p.realm)
    .orderBy('position')
    .limit(p.limit),
);

const DELETE_UP_TO = statement<{ position: number }>()((db, p) =>
  db.deleteFrom('events').where('realm_id', '=', p.realm).where('position', '<=', p.position),
);

/** The last of the first `limit` events that are older than `before`; undefined: the oldest is younger. */
export function oldEventsEnd(
  reader: RealmReader,
  asked: { readonly before: number; readonly limit: number },
): number | undefined {
  const first = reader.all(FIRST, { limit: asked.limit });
  return first.filter(({ createdAt }) => createdAt < asked.before).at(-1)?.position;
}

/** Deletes the events of a realm up to a position. @returns how many */
export function deleteEventsUpTo(tx: RealmTx, position: number): number {
  return tx.run(DELETE_UP_TO, { position }).changes;
}

/** Inserts one event; its position is the next in commit order. */
export function insertEvent(tx: RealmTx, event: NewEvent): void {
  tx.run(INSERT, event);
}

/** At most `limit` events after a position, oldest first; of the named types alone when `types` is given. */
export function eventsAfter(
  reader: RealmReader,
  page: { readonly after: number; readonly limit: number; readonly types: readonly string[] | undefined },
): StoredEvent[] {
  const { after, limit, types } = page;
  if (types === undefined) return reader.all(PAGE, { after, limit });
  // Each type's next places come from the index alone. One query over all types would read every event between two that
  // match, and an unlucky filter the whole table.
  const places = types.flatMap((type) => reader.all(PLACES, { after, limit, type }));
  const next = places.map(({ position }) => position).toSorted((a, b) => a - b);
  return next
    .slice(0, limit)
    .map((position) => present(reader.get(ONE, { position }), 'the index names events that are there'));
}
