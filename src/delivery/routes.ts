import { z } from 'zod';
import { listAnswer, PAGE_QUERY } from '../http/list.ts';
import { type Route, routeOf } from '../http/route.ts';
import { eventAnswer, eventFilter } from './event-schema.ts';
import { type EventsCaller, type EventView, readEvents, type ReadEventsDeps } from './read-events.ts';

/** What these routes demand of a caller, in the words of the access feature, which delivery does not know. */
export interface EventsDemand {
  readonly scope: 'events:read';
  readonly also: readonly [];
}

const route = routeOf<EventsCaller, EventsDemand>();

const eventsQuery = z.strictObject({
  limit: PAGE_QUERY.limit,
  after: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).default(0).meta({
    description: 'Position of the last event you have; 0 begins at the beginning.',
  }),
  type: eventFilter.optional(),
});

/** `GET /api/v1/events`: what happened in a realm, in commit order. */
export function eventRoutes(deps: ReadEventsDeps): Route<EventsCaller, EventsDemand>[] {
  return [
    route({
      method: 'GET',
      path: '/api/v1/events',
      summary: 'List events in commit order, oldest first',
      tag: 'events',
      demand: { scope: 'events:read', also: [] },
      query: eventsQuery,
      answers: { 200: listAnswer(eventAnswer) },
      handle: ({ permit, query }) => {
        const { after, limit, type } = query;
        const events = readEvents(deps, permit, { after, limit: limit + 1, type });
        return { status: 200, body: pageOfEvents(events, limit) };
      },
    }),
  ];
}

/** A position is a cursor that does not age; it is shown as it is, so that a reader can go on after any event. */
function pageOfEvents(events: readonly EventView[], limit: number) {
  const data = events.slice(0, limit);
  const last = data.at(-1);
  const hasMore = events.length > limit && last !== undefined;
  return { data, pagination: { nextCursor: hasMore ? String(last.position) : null, hasMore } };
}
