import type { Job } from '../../jobs/schedule.ts';
import { MINUTE } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import { ANNOUNCE_JOB, announceExpiry } from './announce-expiry.ts';
import { EXPIRE_JOB, expireLicenses } from './expire.ts';
import { REVOKE_JOB, revokeLapsed, type RevokeLapsedDeps } from './revoke-lapsed.ts';

/** What the timed work of licences needs. */
export interface LicenseJobsDeps extends RevokeLapsedDeps {
  /** The realms of all tenants. */
  readonly realms: () => readonly RealmId[];
  /** Whether the state of the appliance lets time-driven jobs run. */
  readonly mayRunJobs: () => boolean;
}

/** Reads show an expired licence at once; the written state and its event follow within this time. */
const EVERY_MS = MINUTE;

/** The timed work of licences: what expires soon is announced, what has expired is written, and revoked for good. */
export function licenseJobs(deps: LicenseJobsDeps): Job[] {
  const job = (name: string, sweep: (realm: RealmId) => Promise<unknown>): Job => ({
    name,
    everyMs: EVERY_MS,
    mayRun: deps.mayRunJobs,
    run: async () => {
      // Time may have become doubtful since the run began.
      for (const realm of deps.realms()) if (deps.mayRunJobs()) await sweep(realm);
    },
  });
  return [
    job(ANNOUNCE_JOB, (realm) => announceExpiry(deps, realm)),
    job(EXPIRE_JOB, (realm) => expireLicenses(deps, realm)),
    job(REVOKE_JOB, (realm) => revokeLapsed(deps, realm)),
  ];
}
