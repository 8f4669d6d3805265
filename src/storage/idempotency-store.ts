import { Fault } from '../faults.ts';
import { DAY, type EpochMs } from '../lib/clock.ts';
import { statement } from './statement.ts';
import type { RealmReader, RealmTx } from './tx.ts';

/** How long a stored answer is replayed, in trusted time. */
export const IDEMPOTENCY_LIFE_MS = DAY;
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

const STORE = statement<IdempotencySlot & StoredAnswer & { now: EpochMs; after: EpochMs }>()((db, p) =>
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
    .onConflict((conflict) =>
      conflict
        .columns(['realm_id', 'principal', 'route', 'key_hash'])
        .doUpdateSet({
          body_digest: p.bodyDigest,
          status: p.status,
          answer: p.answer,
          created_at: p.now,
        })
        .where('idempotency.created_at', '<=', p.after),
    ),
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
 *   faster): the unit is undone, and asking again replays the answer.
 */
export function storeAnswer(
  tx: RealmTx,
  slot: IdempotencySlot,
  answer: StoredAnswer & { readonly now: EpochMs },
): void {
  const { principal, route, keyHash } = slot;
  const after = answer.now - IDEMPOTENCY_LIFE_MS;
  const { changes } = tx.run(STORE, { principal, route, keyHash, ...answer, after });
  if (changes === 0) throw inProgress();
}

/**
 * Deletes answers whose time is over, the oldest first, about a thousand of them: called again until it returns 0.
 * @returns how many were deleted
 */
export function purgeExpired(tx: RealmTx, now: EpochMs): number {
  const expired = now - IDEMPOTENCY_LIFE_MS;
  const slice = tx.get(NTH_OLDEST, { n: PURGE_ROWS - 1 })?.at ?? expired;
  return tx.run(PURGE, { upTo: Math.min(expired, slice) }).changes;
}

function inProgress(): Fault {
  return new Fault('IDEMPOTENCY_IN_PROGRESS', 'a request with this idempotency key is still running', {
    retryAfterMs: 1000,
  });
}
