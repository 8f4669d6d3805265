import type { Job } from '../jobs/schedule.ts';
import { HOUR } from '../lib/clock.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import { EVENT_PURGE_JOB, purgeEvents, type PurgeEventsDeps } from './purge-events.ts';

/** What the timed work of delivery needs. */
export interface DeliveryJobsDeps extends PurgeEventsDeps {
  /** The realms of all tenants, and that of the appliance. */
  readonly realms: () => readonly RealmId[];
  /** Whether what cannot be undone may be done now. */
  readonly mayPurge: () => boolean;
}

/** The timed work of delivery: old events go. */
export function deliveryJobs(deps: DeliveryJobsDeps): Job[] {
  return [
    {
      name: EVENT_PURGE_JOB,
      everyMs: HOUR,
      mayRun: deps.mayPurge,
      run: async () => {
        for (const realm of deps.realms()) await purgeEvents(deps, realm);
      },
    },
  ];
}
