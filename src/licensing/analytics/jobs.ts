import type { Job } from '../../jobs/schedule.ts';
import { type EpochMs, HOUR } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { dayOf, purgeDayCounts } from './day-count-store.ts';

/** Name of the job. */
const PURGE_JOB = 'analytics-purge';
/** Days that are kept; answers show the last 30. */
const KEPT_DAYS = 90;
const KINDS = ['activation', 'validation', 'file'] as const;

/** Forgets what was counted on days that nobody is shown any more. */
export function analyticsJobs(deps: {
  readonly work: Pick<UnitOfWork, 'keep'>;
  readonly realms: () => readonly RealmId[];
  readonly time: { now(): EpochMs };
  readonly mayRunJobs: () => boolean;
}): readonly Job[] {
  const purge = async (): Promise<void> => {
    const day = dayOf(deps.time.now()) - KEPT_DAYS;
    for (const realm of deps.realms()) {
      await deps.work.keep(PURGE_JOB, (tx) => {
        for (const kind of KINDS) purgeDayCounts(tx.in(realm), kind, day);
      });
    }
  };
  return [{ name: PURGE_JOB, everyMs: HOUR, mayRun: deps.mayRunJobs, run: purge }];
}
