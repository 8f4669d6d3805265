import type { Permit } from '../../access/index.ts';
import type { Outbox } from '../../delivery/outbox.ts';
import { append } from '../../ledger/append.ts';
import { invariant } from '../../lib/invariant.ts';
import type { Tx } from '../../storage/tx.ts';
import { dayOf } from '../analytics/day-count-store.ts';
import type { Refusal } from '../refusal.ts';
import type { Standing } from '../validation/standing.ts';
import { countHolderChange, holderChanges, tellOfChangesOnce } from './holder-change-store.ts';
import { isPublisher, seatsOfHolder, untilTomorrow } from './holder-limits.ts';

/**
 * Changes of its machines (activations, edits, new keys) that the holder of a licence makes on a day. Each leaves rows,
 * entries and events for good, so that whoever has the key could fill the disk. A removal is not counted: it frees a seat,
 * and needs an activation before.
 */
const CHANGES_OF_ANY = 50;
/** For each seat: a machine of a floating licence comes and goes twice an hour, and some to spare. */
const CHANGES_PER_SEAT = 50;

/** Who changes a machine, and of which licence. */
export interface HolderChange {
  readonly permit: Permit;
  readonly standing: Standing;
}

/**
 * Why the holder of a licence changes nothing more of its machines today; null: he may, or the caller is the publisher.
 * Told with one entry and one event a day, however often he asks.
 */
export function refuseHolderChange(
  { outbox }: { readonly outbox: Outbox },
  tx: Tx,
  { permit, standing }: HolderChange,
): Refusal | null {
  if (isPublisher(permit)) return null;
  const { realm, license } = standing;
  const { id } = license;
  const [day, perDay] = [dayOf(tx.now), limitOf(standing)];
  if (holderChanges(tx.in(realm), id, day) < perDay) return null;
  if (tellOfChangesOnce(tx.in(realm), id, day)) {
    const facts = { limit: 'changes', perDay };
    const target = { kind: 'license', id };
    append(tx, { realm, target, action: 'machine.change', outcome: 'refused', facts });
    outbox.emit(tx, { type: 'license.limit_reached', realm, data: { id, ...facts, refusals: 1 } });
  }
  const message = `the holder of licence ${id} may change its machines ${perDay} times a day (activation, edit, new key), and has; the next day begins`;
  return untilTomorrow('CHANGE_LIMIT_EXCEEDED', message, tx.now);
}

/** Counts a change in the unit that makes it, after {@link refuseHolderChange} in the same unit. */
export function bookHolderChange(tx: Tx, { permit, standing }: HolderChange): void {
  if (isPublisher(permit)) return;
  const change = { day: dayOf(tx.now), limit: limitOf(standing) };
  const counted = countHolderChange(tx.in(standing.realm), standing.license.id, change);
  invariant(counted, 'the holder is below his limit');
}

function limitOf(standing: Standing): number {
  return CHANGES_OF_ANY + CHANGES_PER_SEAT * seatsOfHolder(standing);
}
