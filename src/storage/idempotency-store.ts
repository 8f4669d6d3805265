import { Fault } from '../faults.ts';
import { DAY, type EpochMs, HOUR } from '../lib/clock.ts';
import { statement } from './statement.ts';
import type { RealmReader, RealmTx } from './tx.ts';

/** How long a stored answer is replayed, in trusted time. */
export const IDEMPOTENCY_LIFE_MS = DAY;
/** How often answers are purged whose time is over: at most so long whoever is full waits for room beyond that. */
export const PURGE_EVERY_MS = HOUR;
/** What a row takes besides its answer. */
const ROW_BYTES = 200;
/** The row that counts a whole realm. */
const WHOLE_REALM = '';
/** Rows purged in one unit: a slice that does not hold the event loop. */
const PURGE_ROWS = 1000;

/** What a key is scoped to, inside its realm: the same text from another principal or on another route is another key. */
export interface IdempotencySlot {
  /** Id of the principal, e.g. `key_01J…`. */
  readonly principal: string;
  /** `METHOD /route/pattern/{id}`. */
  readonly route: string;
  /** Keyed digest of the Idempotency-Key (index purpose `idempotency`), 32 bytes. */
  readonly keyHash: Buffer;
}

/** An answer to be replayed. */
export interface StoredAnswer {
  /** Keyed digest of the request's body: the same key with another body is refused. */
  readonly bodyDigest: Buffer;
  readonly status: number;
  /** Sealed: references and body of the answer. */
  readonly answer: Buffer;
}

/** How much may be kept for one principal, or for a realm. */
export interface Room {
  readonly answers: number;
  readonly bytes: number;
}

/** What bounds the stored answers. Null: the local operator, who is counted and not limited. */
export interface Rooms {
  readonly principal: Room | null;
  readonly realm: Room | null;
}

const FIND = statement<IdempotencySlot & { after: EpochMs }>()((db, p) =>
  db
    .selectFrom('idempotency')
    .select(['body_digest as bodyDigest', 'status', 'answer'])
    .where('realm_id', '=', p.realm)
    .where('principal', '=', p.principal)
    .where('route', '=', p.route)
    .where('key_hash', '=', p.keyHash)
    .where('created_at', '>', p.after),
);

const STORE = statement<IdempotencySlot & StoredAnswer & { now: EpochMs }>()((db, p) =>
  db
    .insertInto('idempotency')
    .values({
      realm_id: p.realm,
      principal: p.principal,
      route: p.route,
      key_hash: p.keyHash,
      body_digest: p.bodyDigest,
      status: p.status,
      answer: p.answer,
      created_at: p.now,
    })
    .onConflict((conflict) => conflict.columns(['realm_id', 'principal', 'route', 'key_hash']).doNothing()),
);

const EXPIRED = statement<IdempotencySlot & { upTo: EpochMs }>()((db, p) =>
  db
    .selectFrom('idempotency')
    .select((eb) => eb.fn<number>('length', ['answer']).as('length'))
    .where('realm_id', '=', p.realm)
    .where('principal', '=', p.principal)
    .where('route', '=', p.route)
    .where('key_hash', '=', p.keyHash)
    .where('created_at', '<=', p.upTo),
);

const DROP = statement<IdempotencySlot>()((db, p) =>
  db
    .deleteFrom('idempotency')
    .where('realm_id', '=', p.realm)
    .where('principal', '=', p.principal)
    .where('route', '=', p.route)
    .where('key_hash', '=', p.keyHash),
);

const BEGIN_USAGE = statement<{ principal: string }>()((db, p) =>
  db
    .insertInto('idempotency_usage')
    .values({ realm_id: p.realm, principal: p.principal })
    .onConflict((conflict) => conflict.columns(['realm_id', 'principal']).doNothing()),
);

/** Counts one more if that is within `answers` and `bytes`, by one conditional statement. */
const COUNT = statement<{ principal: string; size: number; answers: number; bytes: number }>()((db, p) =>
  db
    .updateTable('idempotency_usage')
    .set((eb) => ({ answers: eb('answers', '+', 1), bytes: eb('bytes', '+', p.size) }))
    .where('realm_id', '=', p.realm)
    .where('principal', '=', p.principal)
    .where('answers', '<', p.answers)
    .where('bytes', '<=', p.bytes),
);

const UNCOUNT = statement<{ principal: string; answers: number; bytes: number }>()((db, p) =>
  db
    .updateTable('idempotency_usage')
    .set((eb) => ({ answers: eb('answers', '-', p.answers), bytes: eb('bytes', '-', p.bytes) }))
    .where('realm_id', '=', p.realm)
    .where('principal', '=', p.principal),
);

const FORGET_EMPTY = statement<{ principal: string }>()((db, p) =>
  db
    .deleteFrom('idempotency_usage')
    .where('realm_id', '=', p.realm)
    .where('principal', '=', p.principal)
    .where('answers', '=', 0),
);

const LEAVING = statement<{ upTo: EpochMs }>()((db, p) =>
  db
    .selectFrom('idempotency')
    .select((eb) => [
      'principal',
      eb.fn.countAll<number>().as('answers'),
      eb.fn.sum<number>(eb.fn<number>('length', ['answer'])).as('length'),
    ])
    .where('realm_id', '=', p.realm)
    .where('created_at', '<=', p.upTo)
    .groupBy('principal'),
);

const NTH_OLDEST = statement<{ n: number }>()((db, p) =>
  db
    .selectFrom('idempotency')
    .select('created_at as at')
    .where('realm_id', '=', p.realm)
    .orderBy('created_at')
    .limit(1)
    .offset(p.n),
);

const PURGE = statement<{ upTo: EpochMs }>()((db, p) =>
  db.deleteFrom('idempotency').where('realm_id', '=', p.realm).where('created_at', '<=', p.upTo),
);

/** The answer once given for this key, unless its 24 h of trusted time are over. Read after identify and authorise. */
export function findAnswer(
  reader: RealmReader,
  slot: IdempotencySlot,
  now: EpochMs,
): StoredAnswer | undefined {
  const { principal, route, keyHash } = slot;
  return reader.get(FIND, { principal, route, keyHash, after: now - IDEMPOTENCY_LIFE_MS });
}

/**
 * Stores an answer in the unit that makes it true: a crash cannot separate the two.
 * @throws Fault IDEMPOTENCY_IN_PROGRESS when a living answer is there already (another request with this key was
 *   faster): the unit is undone, and asking again replays the answer. IDEMPOTENCY_LIMIT when there is no room for it: the
 *   unit is undone, nothing happened
 */
export function storeAnswer(
  tx: RealmTx,
  slot: IdempotencySlot,
  answer: StoredAnswer & { readonly now: EpochMs; readonly rooms: Rooms },
): void {
  const { principal, route, keyHash } = slot;
  const { bodyDigest, status, now, rooms } = answer;
  const row = { principal, route, keyHash, bodyDigest, status, answer: answer.answer, now };
  if (tx.run(STORE, row).changes === 0) {
    dropExpired(tx, { principal, route, keyHash }, now);
    tx.run(STORE, row);
  }
  const size = ROW_BYTES + answer.answer.length;
  count(tx, { principal, size, room: rooms.principal });
  count(tx, { principal: WHOLE_REALM, size, room: rooms.realm });
}

/** Makes room where the same key had an answer whose time is over. @throws Fault IDEMPOTENCY_IN_PROGRESS: it is not */
function dropExpired(tx: RealmTx, slot: IdempotencySlot, now: EpochMs): void {
  const expired = tx.get(EXPIRED, { ...slot, upTo: now - IDEMPOTENCY_LIFE_MS });
  if (expired === undefined) throw inProgress();
  tx.run(DROP, slot);
  uncount(tx, slot.principal, { answers: 1, bytes: ROW_BYTES + expired.length });
}

/** @throws Fault IDEMPOTENCY_LIMIT */
function count(
  tx: RealmTx,
  given: { readonly principal: string; readonly size: number; readonly room: Room | null },
): void {
  const { principal, size, room } = given;
  const { answers, bytes } = room ?? UNBOUNDED;
  const more = { principal, size, answers, bytes: bytes - size };
  if (tx.run(COUNT, more).changes === 1) return;
  // The first one of a principal, or one too many.
  if (tx.run(BEGIN_USAGE, { principal }).changes === 1 && tx.run(COUNT, more).changes === 1) return;
  const whose = principal === WHOLE_REALM ? 'the environment of this tenant' : 'this credential';
  throw new Fault(
    'IDEMPOTENCY_LIMIT',
    `${whose} has no room for another kept answer; nothing was changed: send what may be done twice without Idempotency-Key`,
    { retryAfterMs: PURGE_EVERY_MS },
  );
}

const UNBOUNDED: Room = { answers: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER };

function uncount(tx: RealmTx, principal: string, less: Room): void {
  const { answers, bytes } = less;
  tx.run(UNCOUNT, { principal, answers, bytes });
  tx.run(UNCOUNT, { principal: WHOLE_REALM, answers, bytes });
  tx.run(FORGET_EMPTY, { principal });
}

/**
 * Deletes answers whose time is over, the oldest first, about a thousand of them: called again until it returns 0.
 * @returns how many were deleted
 */
export function purgeExpired(tx: RealmTx, now: EpochMs): number {
  const expired = now - IDEMPOTENCY_LIFE_MS;
  const slice = tx.get(NTH_OLDEST, { n: PURGE_ROWS - 1 })?.at ?? expired;
  const upTo = Math.min(expired, slice);
  for (const { principal, answers, length } of tx.all(LEAVING, { upTo })) {
    uncount(tx, principal, { answers, bytes: answers * ROW_BYTES + length });
  }
  return tx.run(PURGE, { upTo }).changes;
}

function inProgress(): Fault {
  return new Fault('IDEMPOTENCY_IN_PROGRESS', 'a request with this idempotency key is still running', {
    retryAfterMs: 1000,
  });
}
