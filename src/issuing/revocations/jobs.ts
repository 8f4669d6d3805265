import type { Job } from '../../jobs/schedule.ts';
import { MINUTE } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import { REVOCATION_JOB, type RevocationLists } from './publish-lists.ts';

/** What the timed work of revocation lists needs. */
export interface RevocationJobsDeps {
  readonly revocationLists: Pick<RevocationLists, 'follow'>;
  readonly realms: () => readonly RealmId[];
  readonly mayIssue: () => boolean;
}

/** A file issued so long after a revocation names a list that knows of it. */
const EVERY_MS = MINUTE;

/** Makes lists that nobody has asked for since something was revoked: newer files then prove an older list old. */
export function revocationJobs(deps: RevocationJobsDeps): Job[] {
  return [
    {
      name: REVOCATION_JOB,
      everyMs: EVERY_MS,
      mayRun: deps.mayIssue,
      run: async () => {
        for (const realm of deps.realms()) await deps.revocationLists.follow(realm);
      },
    },
  ];
}
