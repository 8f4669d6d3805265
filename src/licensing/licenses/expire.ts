import type { Random } from '../../lib/random.ts';
import { DAY, type EpochMs } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmReader, Tx } from '../../storage/tx.ts';
import { holdSweep } from '../machines/sweep-hold.ts';
import type { PolicySettings } from '../policies/policy-settings.ts';
import { dueForExpiry } from './license-list-store.ts';
import type { LicenseSnapshot } from './license.ts';
import { countTenantLicenses } from './tenant-license-store.ts';
import { moved, type TransitionDeps } from './transition.ts';

/** Name of the job, and the actor of what it writes. */
export const EXPIRE_JOB = 'expire-licenses';

/** What the sweep needs. */
export interface ExpireDeps extends TransitionDeps {
  readonly random: Random;
  /** Whether the clock and the state of the appliance allow what cannot be undone (policy `REVOKE`). */
  readonly mayActIrreversibly: () => boolean;
}

/** What one sweep of one realm did; `held`: due to be revoked, and not now. */
export interface SweptLicenses {
  readonly expired: number;
  readonly revoked: number;
  readonly held: number;
}

/** Rows read at a time, rows written by one unit, and rows of one run; the next run takes the rest. */
const PAGE = 500;
const SLICE = 25;
const ROWS_PER_RUN = 10_000;

/**
 * Writes the state of licences whose time has come, and announces each exactly once: the conditional UPDATE finds an
 * active row once. Under a policy with `REVOKE` they go on to revoked in the same unit; while that may not be done they
 * stay as they are, and read as expired.
 * @param realm given by a job's walk over all realms
 */
export async function expireLicenses(deps: ExpireDeps, realm: RealmId): Promise<SweptLicenses> {
  const due = dueLicenses(deps, realm);
  const revoking = due.filter(({ revokes }) => revokes);
  const going = (await mayRevoke(deps, realm, revoking.length)) ? due : due.filter(({ revokes }) => !revokes);
  const swept = { expired: 0, revoked: 0, held: due.length - going.length };
  for (let at = 0; at < going.length; at += SLICE) {
    const done = await sweepSlice(deps, realm, going.slice(at, at + SLICE));
    swept.expired += done.expired;
    swept.revoked += done.revoked;
  }
  return swept;
}

/** Not while the clock is in doubt, and not when it would hit many at once and nobody has released that. */
async function mayRevoke(deps: ExpireDeps, realm: RealmId, rows: number): Promise<boolean> {
  if (rows === 0 || !deps.mayActIrreversibly()) return false;
  const living = countTenantLicenses(deps.work.read.in(realm));
  return !(await holdSweep(deps, { job: EXPIRE_JOB }, { realm, dead: rows, living }));
}

interface DueLicense {
  readonly license: LicenseSnapshot;
  readonly revokes: boolean;
}

function dueLicenses(deps: ExpireDeps, realm: RealmId): DueLicense[] {
  const reader = deps.work.read.in(realm);
  const now = deps.time.now();
  const due: DueLicense[] = [];
  let after: readonly [EpochMs, number] = [0, 0];
  while (due.length < ROWS_PER_RUN) {
    const page = dueForExpiry(reader, { now, after, limit: PAGE });
    for (const license of page)
      due.push({ license, revokes: revokesBy(deps, reader, { realm, license, now }) });
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) break;
    after = [last.expiresAt ?? 0, last.seq];
  }
  return due;
}

function revokesBy(
  deps: ExpireDeps,
  reader: RealmReader,
  of: { readonly realm: RealmId; readonly license: LicenseSnapshot; readonly now: EpochMs },
): boolean {
  const { policyId: id, policyVersion: version, expiresAt } = of.license;
  const settings = deps.policies.get(reader, { realm: of.realm, id, version }).settings;
  return isRevokedBy(settings, expiresAt, of.now);
}

/** Whether the policy revokes for good what expired at `expiresAt`: at expiry and the days of grace after it. Pure. */
export function isRevokedBy(
  settings: Pick<PolicySettings, 'expirationStrategy' | 'graceDays'>,
  expiresAt: EpochMs | null,
  now: EpochMs,
): boolean {
  if (settings.expirationStrategy !== 'REVOKE' || expiresAt === null) return false;
  return expiresAt + settings.graceDays * DAY <= now;
}

function sweepSlice(deps: ExpireDeps, realm: RealmId, slice: readonly DueLicense[]) {
  const actor = { kind: 'system', id: EXPIRE_JOB, via: 'job' } as const;
  return deps.work.run({ actor, requestId: EXPIRE_JOB, realm }, (tx) => {
    let [expired, revoked] = [0, 0];
    for (const due of slice) {
      if (!expireOne(deps, tx, { realm, license: due.license })) continue;
      expired += 1;
      if (due.revokes && revokeOne(deps, tx, { realm, license: due.license })) revoked += 1;
    }
    return { expired, revoked };
  });
}

interface Swept {
  readonly realm: RealmId;
  readonly license: LicenseSnapshot;
}

/** False: somebody changed it in between, and the next run looks at it again. */
function expireOne(deps: ExpireDeps, tx: Tx, { realm, license }: Swept): boolean {
  const { expiresAt, policyId } = license;
  const to = { status: 'expired', expiresAt, policyId } as const;
  return !('stale' in moved(deps, tx, { viewer: { realm, reveal: false }, license, action: 'expire', to }));
}

function revokeOne(deps: ExpireDeps, tx: Tx, { realm, license }: Swept): boolean {
  const expired = { ...license, status: 'expired', version: license.version + 1, updatedAt: tx.now } as const;
  const to = { status: 'revoked', expiresAt: license.expiresAt, policyId: license.policyId } as const;
  const viewer = { realm, reveal: false };
  return !('stale' in moved(deps, tx, { viewer, license: expired, action: 'revoke', to }));
}
