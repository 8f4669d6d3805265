import type { Job } from '../../jobs/schedule.ts';
import { MINUTE } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import { EXPIRE_JOB, type ExpireDeps, expireLicenses } from './expire.ts';

/** What the timed work of licences needs. */
export interface LicenseJobsDeps extends ExpireDeps {
  /** The realms of all tenants. */
  readonly realms: () => readonly RealmId[];
  /** Whether the state of the appliance lets time-driven jobs run. */
  readonly mayRunJobs: () => boolean;
}

/** Reads show an expired licence at once; the written state and its event follow within this time. */
const EVERY_MS = MINUTE;

/** The timed work of licences: `expire-licenses`. */
export function licenseJobs(deps: LicenseJobsDeps): Job[] {
  return [
    {
      name: EXPIRE_JOB,
      everyMs: EVERY_MS,
      mayRun: deps.mayRunJobs,
      run: async () => {
        for (const realm of deps.realms()) await expireLicenses(deps, realm);
      },
    },
  ];
}
