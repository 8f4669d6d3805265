export { EVENT_TYPES, type EventType } from './catalogue.ts';
export { createOutbox, type EventDraft, type Outbox } from './outbox.ts';
