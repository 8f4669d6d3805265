import { createHash } from 'node:crypto';
import type { EntryDraft, Journal } from '../../src/storage/journal.ts';
import { statement } from '../../src/storage/statement.ts';
import type { Tx } from '../../src/storage/tx.ts';

/** The head of a plain journal: how many entries it has. */
export interface PlainHead {
  readonly size: number;
}

const APPEND = statement<{ position: number; realmOf: number | null; bytes: Buffer; hash: Buffer }>()(
  (db, p) =>
    db.insertInto('ledger_entries').values({
      position: p.position,
      // A column of the appliance's own table, not a realm binding.
      realm_id: p.realmOf as never,
      bytes: p.bytes,
      hash: p.hash,
    }),
);

/**
 * A journal with the obligations of the ledger's (heads are values, published after COMMIT, entries inside the unit's
 * savepoint) and none of its cryptography: the storage tests stand below the ledger.
 */
export class PlainJournal implements Journal<PlainHead> {
  #head: PlainHead;
  /** Every head that was published, in order. */
  readonly published: PlainHead[] = [];

  constructor(size = 0) {
    this.#head = { size };
  }

  head(): PlainHead {
    return this.#head;
  }

  append(tx: Tx, head: PlainHead, drafts: readonly EntryDraft[]): PlainHead {
    for (const [i, draft] of drafts.entries()) {
      const bytes = Buffer.from(JSON.stringify({ ...draft, time: tx.now, actor: tx.authority.actor }));
      const hash = createHash('sha256').update(bytes).digest();
      tx.run(APPEND, { position: head.size + i, realmOf: draft.realm, bytes, hash });
    }
    return { size: head.size + drafts.length };
  }

  publish(head: PlainHead): void {
    this.#head = head;
    this.published.push(head);
  }
}
