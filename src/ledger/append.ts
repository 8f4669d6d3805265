import type { DecidingColumns, EntryDraft } from '../storage/journal.ts';
import type { Tx } from '../storage/tx.ts';

/** What stands for the columns of a row that is not there: the `after` of what takes a row away for good. */
export const NO_ROW: DecidingColumns = { row: 'none' };

/** What an operation says of what it did; who, when and under which request is known to the unit of work. */
export interface Happening extends Omit<EntryDraft, 'realm' | 'outcome'> {
  /** The realm it concerns, when it is not the one the unit runs in. */
  readonly realm?: EntryDraft['realm'];
  /** Left out: `done`. */
  readonly outcome?: EntryDraft['outcome'];
}

/**
 * Adds an entry to the ledger, in the same unit as what it tells of: both are durable together, or neither is. The entry
 * gets its index, salt and digests when the unit's callback has returned.
 * @throws InvariantViolation when the unit may not record, or is over
 */
export function append(tx: Tx, what: Happening): void {
  tx.record({ realm: tx.authority.realm, outcome: 'done', ...what });
}
