import type { Job } from '../../jobs/schedule.ts';
import { MINUTE } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { PURGE_JOB, purgeDeleted, type PurgeDeps } from './purge.ts';

/** What the timed work of purging needs. */
export interface PurgeJobsDeps extends PurgeDeps {
  readonly work: Pick<UnitOfWork, 'run' | 'read' | 'emptyLog'>;
  /** The realms of all tenants. */
  readonly realms: () => readonly RealmId[];
}

/** A purge that was held and let go runs within this time. */
const EVERY_MS = 10 * MINUTE;

/** The timed work of retention: what was deleted long enough ago goes for good, out of the log of the database too. */
export function purgeJobs(deps: PurgeJobsDeps): Job[] {
  let logHasMore = false;
  return [
    {
      name: PURGE_JOB,
      everyMs: EVERY_MS,
      mayRun: deps.mayPurge,
      run: async () => {
        for (const realm of deps.realms()) {
          const { rows } = await purgeDeleted(deps, realm);
          logHasMore ||= rows > 0;
        }
        // A reader may stand in the way; then the next run tries again.
        if (logHasMore) logHasMore = !deps.work.emptyLog();
      },
    },
  ];
}
