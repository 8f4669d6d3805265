import { append } from '../../ledger/append.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Tx } from '../../storage/tx.ts';
import { endHold, type HoldingMachine } from './held-seat-store.ts';
import { machineDecides } from './machine.ts';

/** Ends a removed machine's hold on its seat, and says so in the ledger. The seat itself is the caller's to move. */
export function endHoldOf(
  tx: Tx,
  hold: {
    readonly realm: RealmId;
    readonly holder: HoldingMachine;
    readonly action: 'machine.seat_released' | 'machine.seat_resumed';
  },
): void {
  const { realm, holder, action } = hold;
  if (!endHold(tx.in(realm), holder.id, tx.now)) return;
  const before = machineDecides(holder);
  const after = machineDecides({ ...holder, seatHeldUntil: null });
  append(tx, { realm, action, target: { kind: 'machine', id: holder.id }, before, after });
}
