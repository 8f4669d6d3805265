import type { Permit } from '../../access/index.ts';
import { Fault, type FaultCode } from '../../faults.ts';
import { DAY, type EpochMs, isoTime } from '../../lib/clock.ts';
import { dayOf } from '../analytics/day-count-store.ts';
import type { Refusal } from '../refusal.ts';
import type { Standing } from '../validation/standing.ts';
import { seatsAllowed } from './seat-limit.ts';

/** Seats that are sold count at once up to here, more of them when they are taken; of a licence without a limit no more. */
const MANY_SEATS = 1000;

/** Whether the caller acts for the publisher: his keys have limits of their own, and are not counted for a holder. */
export function isPublisher({ principal }: Permit): boolean {
  return principal.kind === 'operator' || principal.kind === 'secret-key';
}

/** The seats by which it is counted what the holder of a licence may have on a day. */
export function seatsOfHolder({ license, policy, facts }: Standing): number {
  const { seats: taken } = license;
  const sold = policy.machineLeasing === 'PER_LICENSE' ? seatsAllowed(facts.maxMachines, policy) : null;
  return sold === null ? Math.min(taken, MANY_SEATS) : Math.min(sold, Math.max(taken, MANY_SEATS));
}

/** A refusal until the next day (UTC) begins. @param message ends before `at` and the time */
export function untilTomorrow(code: FaultCode, message: string, now: EpochMs): Refusal {
  const tomorrow = (dayOf(now) + 1) * DAY;
  return { refused: new Fault(code, `${message} at ${isoTime(tomorrow)}`, { retryAfterMs: tomorrow - now }) };
}
