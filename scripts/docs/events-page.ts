import { EVENT_WILDCARDS, EVENTS, type EventRow } from '../../src/delivery/index.ts';
import { page, table } from './markdown.ts';

/** docs/events.md: every event with what it tells, and whether this version announces it. */
export function eventsPage(): string {
  const rows = Object.entries<EventRow>(EVENTS).map(([type, { about, data, emitted }]) => [
    `\`${type}\``,
    about,
    data,
    emitted ? 'yes' : 'not yet',
  ]);
  const wildcards = EVENT_WILDCARDS.map((name) => `\`${name}\``).join(', ');
  return page('Events', '`src/delivery/catalogue.ts`', [
    'An event tells of one thing that happened. It is stored by the unit of work that made the thing happen: nothing is\n' +
      'announced that did not happen, nothing that happened is forgotten. Its body never changes:\n' +
      '`{ id, type, timestamp, realm: { tenant, environment }, requestId, data }`, at most 20 KB, without secrets.',
    '`GET /api/v1/events?after&type&limit` (scope `events:read`) reads them, oldest first. Each event has a `position`, its\n' +
      'place in commit order: keep the position of the last event you have dealt with and ask for what is `after` it. Positions\n' +
      'grow but are not consecutive, and no event ever appears before one that was read.',
    `\`type\` takes a name of this table, or one of ${wildcards}. Any other is refused with 422 \`VALIDATION_FAILED\` and the\n` +
      'list. Names never change their meaning; what is "not yet" announced is a name that later features will use.',
    table(['event', 'what happened', '`data`', 'announced'], rows),
  ]);
}
