/**
 * Nouns of actions after which a checkpoint is signed before anybody is answered. Until a checkpoint covers an entry,
 * whoever holds the disk and no key can still rewrite it; who gets in, what signs and what time it is must not be
 * rewritten unseen for a minute.
 */
const FORCING_NOUNS: ReadonlySet<string> = new Set([
  // keys
  'ledger_key',
  'signing_key',
  'data_key',
  'index_key',
  'slot',
  'kek',
  'api_key',
  'key',
  // operators
  'operator',
  // rows that were taken as they stood
  'row',
  // restore
  'appliance',
  'restore',
  'instance',
  // clock
  'clock',
]);

/** Whether an entry of this action (`<noun>.<verb>`) is signed before the answer. */
export function forcesCheckpoint(action: string): boolean {
  return FORCING_NOUNS.has(action.slice(0, action.indexOf('.')));
}
