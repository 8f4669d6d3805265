import type { EpochMs } from '../../lib/clock.ts';
import type { Authority } from '../../storage/journal.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import { dueForExpiry } from './license-list-store.ts';
import type { LicenseSnapshot } from './license.ts';
import { moved, type TransitionDeps } from './transition.ts';

/** Name of the job, and the actor of what it writes. */
export const EXPIRE_JOB = 'expire-licenses';

/** Rows read at a time, rows written by one unit, and rows of one run; the next run takes the rest. */
const PAGE = 500;
const SLICE = 25;
const ROWS_PER_RUN = 10_000;

/**
 * Writes the state of licences whose time has come, and announces each exactly once: the conditional UPDATE finds an
 * active row once. Nothing is lost by it: a renewal makes the licence active again.
 * @param realm given by a job's walk over all realms
 * @returns how many
 */
export async function expireLicenses(deps: TransitionDeps, realm: RealmId): Promise<number> {
  let expired = 0;
  let seen = 0;
  let after: readonly [EpochMs, number] = [0, 0];
  while (seen < ROWS_PER_RUN) {
    const page = dueForExpiry(deps.work.read.in(realm), { now: deps.time.now(), after, limit: PAGE });
    for (let at = 0; at < page.length; at += SLICE) {
      expired += await expireSlice(deps, realm, page.slice(at, at + SLICE));
    }
    seen += page.length;
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) break;
    after = [last.expiresAt ?? 0, last.seq];
  }
  return expired;
}

function expireSlice(
  deps: TransitionDeps,
  realm: RealmId,
  slice: readonly LicenseSnapshot[],
): Promise<number> {
  const authority: Authority = {
    actor: { kind: 'system', id: EXPIRE_JOB, via: 'job' },
    requestId: EXPIRE_JOB,
    realm,
  };
  return deps.work.run(authority, (tx) => {
    const done = slice.filter((license) => {
      const { expiresAt, startsOn, policyId } = license;
      const to = { status: 'expired', expiresAt, startsOn, policyId } as const;
      const viewer = { realm, reveal: false };
      // Stale: somebody changed it in between, and the next run looks at it again.
      return !('stale' in moved(deps, tx, { viewer, license, action: 'expire', to }));
    });
    return done.length;
  });
}
