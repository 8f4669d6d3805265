import { newId } from '../lib/ulid.ts';
import type { Random } from '../lib/random.ts';
import type { JsonValue } from '../lib/strict-json.ts';
import { isoTime } from '../lib/clock.ts';
import { invariant } from '../lib/invariant.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import type { Tx } from '../storage/tx.ts';
import type { EventType } from './catalogue.ts';
import { insertEvent } from './event-store.ts';

/** Largest event, frozen: what a receiver and a spool bundle must be able to hold. */
const EVENT_BYTES = 20 * 1024;

/** One thing that happened, as a unit of work announces it. */
export interface EventDraft {
  readonly type: EventType;
  readonly realm: RealmId;
  /** What the API shows of it: never secrets, personal fields masked, no device values. */
  readonly data: Readonly<Record<string, JsonValue>>;
}

/** What the outbox needs: names for realms, and randomness for ids. */
export interface OutboxDeps {
  readonly random: Random;
  /** `{ tenant, environment }` as event bodies show it. */
  readonly realmName: (realm: RealmId) => { readonly tenant: string; readonly environment: string };
}

/** Where units of work leave their events; the only part of delivery that they see. */
export interface Outbox {
  /**
   * Stores an event in the same unit as the change it tells of: nothing is announced that did not happen, nothing that
   * happened is forgotten. Its position is its place in commit order.
   * @returns the event's id
   */
  emit(tx: Tx, event: EventDraft): string;
}

/** The outbox over the events table. */
export function createOutbox(deps: OutboxDeps): Outbox {
  return {
    emit: (tx, event) => {
      const id = newId('event', tx.now, deps.random);
      const body = freeze(tx, event, { id, realm: deps.realmName(event.realm) });
      invariant(body.length <= EVENT_BYTES, `an event of type ${event.type} stays below 20 KB`);
      insertEvent(tx.in(event.realm), { id, type: event.type, body, created_at: tx.now });
      return id;
    },
  };
}

function freeze(tx: Tx, event: EventDraft, given: { id: string; realm: object }): Buffer {
  const { id, realm } = given;
  const timestamp = isoTime(tx.now);
  const requestId = tx.authority.requestId;
  return Buffer.from(JSON.stringify({ id, type: event.type, timestamp, realm, requestId, data: event.data }));
}
