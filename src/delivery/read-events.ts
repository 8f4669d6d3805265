import { Fault } from '../faults.ts';
import { present } from '../lib/invariant.ts';
import type { JsonObject } from '../lib/strict-json.ts';
import type { Authority } from '../storage/journal.ts';
import type { UnitOfWork } from '../storage/unit-of-work.ts';
import { EVENT_TYPES, EVENT_WILDCARDS, type EventType, eventsNamed } from './catalogue.ts';
import { eventsAfter, type StoredEvent } from './event-store.ts';

/** What reading events needs. */
export interface ReadEventsDeps {
  readonly work: Pick<UnitOfWork, 'read'>;
}

/** Who reads events: of a permit, the realm is all that counts. */
export type EventsCaller = Pick<Authority, 'realm'>;

/** Which events to read. */
export interface EventsRequest {
  /** Position of the last event that is known already; 0: from the beginning. */
  readonly after: number;
  /** At most this many. */
  readonly limit: number;
  /** A name or wildcard of the catalogue; undefined: all. */
  readonly type: string | undefined;
}

/** An event as the API shows it: its frozen body, and its place in commit order. */
export interface EventView extends JsonObject {
  readonly position: number;
}

/**
 * Events of the caller's realm, oldest first. A position that was answered is final: no event ever appears before it.
 * @throws Fault VALIDATION_FAILED when `type` is not in the catalogue; the message has the catalogue
 */
export function readEvents(deps: ReadEventsDeps, caller: EventsCaller, request: EventsRequest): EventView[] {
  const realm = present(caller.realm, 'a permit for events names its realm');
  const types = typesOf(request.type);
  const { after, limit } = request;
  return eventsAfter(deps.work.read.in(realm), { after, limit, types }).map(view);
}

function typesOf(name: string | undefined): readonly EventType[] | undefined {
  if (name === undefined) return undefined;
  const types = eventsNamed(name);
  if (types.length === 0) throw unknownType();
  // All of them is no filter: one look at the order of commits instead of one for each type.
  return types.length === EVENT_TYPES.length ? undefined : types;
}

function unknownType(): Fault {
  const names = [...EVENT_WILDCARDS, ...EVENT_TYPES].join(', ');
  return new Fault('VALIDATION_FAILED', `type is no event of the catalogue; use one of ${names}`, {
    errors: [{ path: 'type', code: 'UNKNOWN_EVENT', message: 'is no event of the catalogue' }],
  });
}

function view({ position, body }: StoredEvent): EventView {
  const event = JSON.parse(body.toString('utf8')) as JsonObject; // the outbox froze an object, and nothing changes it
  return { position, ...event };
}
