export {
  EVENT_TYPES,
  EVENT_WILDCARDS,
  EVENTS,
  type EventRow,
  eventsNamed,
  type EventType,
} from './catalogue.ts';
export { deliveryJobs } from './jobs.ts';
export { createOutbox, type EventDraft, type Outbox } from './outbox.ts';
export type { ReadEventsDeps } from './read-events.ts';
export { eventRoutes } from './routes.ts';
