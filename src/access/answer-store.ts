import type { Indexer, Sealer } from '../custody/sealer.ts';
import type { EpochMs } from '../lib/clock.ts';
import {
  findAnswer,
  type IdempotencySlot,
  type Room,
  type Rooms,
  storeAnswer,
} from '../storage/idempotency-store.ts';
import { type RealmId, SYSTEM_REALM } from '../storage/realm-scope.ts';
import type { Tx } from '../storage/tx.ts';
import type { UnitOfWork } from '../storage/unit-of-work.ts';
import type { Permit } from './permit.ts';

/** Where the answer of one request is kept, inside realm and principal of its caller. */
export interface AnswerSlot {
  /** `METHOD /pattern`. */
  readonly route: string;
  /** The `Idempotency-Key`. */
  readonly key: string;
  /** Digest of everything that must be the same in a repeated request. */
  readonly request: string;
}

/** An answer to be kept. */
export interface AnswerToKeep extends AnswerSlot {
  readonly status: number;
  readonly bytes: Buffer;
}

/** What keeping answers needs. */
export interface AnswersDeps {
  readonly work: Pick<UnitOfWork, 'keep' | 'read'>;
  readonly sealer: Sealer;
  readonly indexer: Indexer;
  /** Trusted time. */
  readonly time: { now(): EpochMs };
  readonly rooms: AnswerRooms;
}

/** How much may be kept for repeated requests. */
export interface AnswerRooms {
  readonly principal: Room;
  readonly realm: Room;
}

/** A licence answers for its few machines; its key is in many hands. */
const ROOM_OF_LICENSE: Room = { answers: 1000, bytes: 2 * 1024 * 1024 };

const KEY = { purpose: 'idempotency', table: 'idempotency', column: 'key_hash' } as const;
const REQUEST = { purpose: 'idempotency', table: 'idempotency', column: 'body_digest' } as const;

/**
 * Keeps answers for 24 hours of trusted time: keyed digests of key and request, the answer itself sealed. What belongs
 * to no realm (tenants) is kept in the system's.
 */
export class Answers {
  readonly #deps: AnswersDeps;

  constructor(deps: AnswersDeps) {
    this.#deps = deps;
  }

  /** Realm and principal: requests that share their keys. */
  scopeOf(permit: Permit): string {
    return `${String(realmOf(permit))} ${principalOf(permit)}`;
  }

  /** What was committed under a slot; `same` is false when it was by another request. */
  find(
    permit: Permit,
    slot: AnswerSlot,
  ): { readonly same: boolean; readonly status: number; readonly bytes: Buffer } | undefined {
    const realm = realmOf(permit);
    const stored = this.#slot(permit, slot);
    const found = findAnswer(this.#deps.work.read.in(realm), stored, this.#deps.time.now());
    if (found === undefined) return undefined;
    const candidates = this.#deps.indexer.candidates(realm, REQUEST, slot.request);
    const same = candidates.some(({ digest }) => digest.equals(found.bodyDigest));
    const bytes = same ? this.#deps.sealer.open(cellOf(realm, stored), found.answer) : Buffer.alloc(0);
    return { same, status: found.status, bytes };
  }

  /** Keeps an answer in an open unit: durable with what it tells of. */
  keep(tx: Tx, permit: Permit, kept: AnswerToKeep): void {
    const realm = realmOf(permit);
    const slot = this.#slot(permit, kept);
    const bodyDigest = this.#deps.indexer.digest(realm, REQUEST, kept.request).digest;
    const answer = this.#deps.sealer.seal(cellOf(realm, slot), kept.bytes);
    const rooms = this.#roomsOf(permit);
    storeAnswer(tx.in(realm), slot, { bodyDigest, status: kept.status, answer, now: tx.now, rooms });
  }

  /** Keeps an answer in a unit of its own; durable when this resolves. */
  keepAlone(permit: Permit, kept: AnswerToKeep): Promise<void> {
    return this.#deps.work.keep('idempotency', (tx) => {
      this.keep(tx, permit, kept);
    });
  }

  /** A key of the tier unlimited is bounded by its realm alone, the local operator by nothing. */
  #roomsOf({ principal }: Permit): Rooms {
    const { rooms } = this.#deps;
    if (principal.kind === 'operator') return { principal: null, realm: null };
    if (principal.kind === 'license') return { ...rooms, principal: ROOM_OF_LICENSE };
    return 'tier' in principal && principal.tier === 'unlimited' ? { ...rooms, principal: null } : rooms;
  }

  #slot(permit: Permit, { route, key }: AnswerSlot): IdempotencySlot {
    const keyHash = this.#deps.indexer.digest(realmOf(permit), KEY, key).digest;
    return { principal: principalOf(permit), route, keyHash };
  }
}

function realmOf(permit: Permit): RealmId {
  return permit.realm ?? SYSTEM_REALM;
}

function principalOf({ actor }: Permit): string {
  return `${actor.kind}:${actor.id}`;
}

function cellOf(realm: RealmId, slot: IdempotencySlot): Parameters<Sealer['seal']>[0] {
  const row = `${slot.principal} ${slot.route} ${slot.keyHash.toString('base64')}`;
  return { realm, table: 'idempotency', column: 'answer', row };
}
