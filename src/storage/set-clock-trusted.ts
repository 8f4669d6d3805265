import type { Authority } from './journal.ts';
import type { ClockProposal, TrustedClock } from './trusted-clock.ts';
import type { UnitOfWork } from './unit-of-work.ts';

/** What the operation needs. */
export interface SetClockTrustedDeps {
  readonly work: Pick<UnitOfWork, 'run' | 'keep'>;
  readonly clock: TrustedClock;
}

/**
 * An operator takes the wall clock as right and ends the suspicion. The entry is durable first.
 * 1. Propose. Stop here: nothing happened.
 * 2. Commit the entry. Stop here: the log says it, the appliance is still suspect after its start, and it is said again.
 * 3. Trusted time changes in memory, and its mark is committed.
 * @throws Fault CLOCK_SUSPECT when T would go back by more than 24 h and `lowerByMoreThanADay` is not set
 */
export async function setClockTrusted(
  deps: SetClockTrustedDeps,
  authority: Authority,
  request: { readonly reason: string; readonly lowerByMoreThanADay: boolean },
): Promise<ClockProposal> {
  const proposal = deps.clock.propose(request);
  await deps.work.run(authority, (tx) => {
    tx.record({
      realm: null,
      action: 'clock.trusted',
      target: { kind: 'clock', id: 'clock' },
      outcome: 'done',
      before: { trusted: proposal.before, suspect: proposal.reason },
      after: { trusted: proposal.after, suspect: null },
      private: { reason: request.reason },
    });
    tx.afterCommit(() => deps.clock.accept(proposal));
  });
  await deps.work.keep('clock', () => undefined);
  return proposal;
}
