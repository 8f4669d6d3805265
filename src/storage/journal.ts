import type { EntryDraft } from './entry.ts';
import type { Tx } from './tx.ts';

export type { Actor, Authority, DecidingColumns, EntryDraft } from './entry.ts';

/**
 * The log a unit of work writes in; the ledger implements it. A head is an immutable value: the batch chains heads
 * from unit to unit, drops that of a unit that was rolled back, and publishes the last one after COMMIT.
 */
export interface Journal<Head> {
  /** The published head. */
  head(): Head;
  /** Writes the entries of one unit inside its savepoint and returns the head after them; publishes nothing. */
  append(tx: Tx, head: Head, drafts: readonly EntryDraft[]): Head;
  /** COMMIT has returned: `head` is durable. */
  publish(head: Head): void;
}
