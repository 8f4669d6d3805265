import { append } from '../ledger/index.ts';
import type { Custody } from '../custody/index.ts';
import type { Authority } from '../storage/entry.ts';
import type { Tx } from '../storage/tx.ts';
import type { Parts } from './parts.ts';

/**
 * Records that the keys were opened with a slot that is kept for recovery. Whoever has its secret has everything, the
 * backups included: the owner must learn that it was used. On a full disk nothing can be recorded, and nothing is written
 * either.
 */
export async function recordSlotUse(parts: Parts, authority: Authority): Promise<void> {
  const used = parts.custody.openedWith;
  if (used?.recovers !== true || parts.work.diskFull) return;
  await parts.work.run(authority, (tx) => {
    append(tx, {
      action: 'slot.used',
      target: { kind: 'slot', id: used.name },
      facts: { kind: used.kind },
    });
  });
}

/** Records the slots that a new appliance was made with, in the unit that makes it. */
export function recordNewSlots(tx: Tx, custody: Custody): void {
  for (const slot of custody.listSlots()) {
    const facts = slot.damaged ? {} : { kind: slot.kind };
    append(tx, { action: 'slot.added', target: { kind: 'slot', id: slot.name }, facts });
  }
}
