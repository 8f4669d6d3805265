import { DAY, type EpochMs } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Tx } from '../../storage/tx.ts';
import { holdSweep } from '../machines/sweep-hold.ts';
import type { PolicySettings } from '../policies/policy-settings.ts';
import { findLicense } from './license-store.ts';
import { countTenantLicenses } from './tenant-license-store.ts';
import { lapsedLicenses, perhapsRevokingPolicies } from './term-store.ts';
import { moved, type TransitionDeps } from './transition.ts';

/** Name of the job, and the actor of what it writes. */
export const REVOKE_JOB = 'revoke-lapsed-licenses';

/** What the sweep needs. */
export interface RevokeLapsedDeps extends TransitionDeps {
  readonly random: Random;
  /** Whether the clock and the state of the appliance allow what cannot be undone. */
  readonly mayActIrreversibly: () => boolean;
}

/** What one sweep of one realm did; `held`: due to be revoked, and not now. */
export interface RevokedLicenses {
  readonly revoked: number;
  readonly held: number;
}

/** Rows read at a time, rows written by one unit, and rows of one run; the next run takes the rest. */
const PAGE = 500;
const SLICE = 25;
const ROWS_PER_RUN = 100_000;

/**
 * Revokes for good the licences that expired under a policy with `REVOKE`, once its days of grace are over as well; by
 * the policy of now, whatever it was when they expired. Each exactly once: the conditional UPDATE finds an expired row
 * once. Not while the clock is in doubt, and not when it would hit many at once and nobody has released that: until
 * then they stay expired, which is as good as revoked for whoever validates them.
 * @param realm given by a job's walk over all realms
 */
export async function revokeLapsed(deps: RevokeLapsedDeps, realm: RealmId): Promise<RevokedLicenses> {
  const due = dueLicenses(deps, realm);
  if (due.length > 0 && !deps.mayActIrreversibly()) return { revoked: 0, held: due.length };
  const living = countTenantLicenses(deps.work.read.in(realm));
  // Asked also when nothing is due: a hold ends when there is nothing left to hold.
  if (await holdSweep(deps, { job: REVOKE_JOB }, { realm, dead: due.length, living })) {
    return { revoked: 0, held: due.length };
  }
  let revoked = 0;
  for (let at = 0; at < due.length; at += SLICE) {
    if (!deps.mayActIrreversibly()) return { revoked, held: due.length - at };
    revoked += await revokeSlice(deps, realm, due.slice(at, at + SLICE));
  }
  return { revoked, held: 0 };
}

/** Ids of the licences to be revoked, policy by policy. */
function dueLicenses(deps: RevokeLapsedDeps, realm: RealmId): string[] {
  const reader = deps.work.read.in(realm);
  const now = deps.time.now();
  const due: string[] = [];
  for (const { id: policyId, version } of perhapsRevokingPolicies(reader)) {
    const { settings } = deps.policies.get(reader, { realm, id: policyId, version });
    if (settings.expirationStrategy !== 'REVOKE') continue;
    const until = now - settings.graceDays * DAY;
    due.push(...lapsedUnder(deps, realm, { policyId, until, most: ROWS_PER_RUN - due.length }));
  }
  return due;
}

function lapsedUnder(
  deps: RevokeLapsedDeps,
  realm: RealmId,
  { most, ...of }: { readonly policyId: string; readonly until: EpochMs; readonly most: number },
): string[] {
  const ids: string[] = [];
  let after: readonly [EpochMs, number] = [0, 0];
  while (ids.length < most) {
    const page = lapsedLicenses(deps.work.read.in(realm), { ...of, after, limit: PAGE });
    for (const { id } of page) ids.push(id);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) break;
    after = [last.expiresAt ?? 0, last.seq];
  }
  return ids;
}

function revokeSlice(deps: RevokeLapsedDeps, realm: RealmId, slice: readonly string[]): Promise<number> {
  const actor = { kind: 'system', id: REVOKE_JOB, via: 'job' } as const;
  return deps.work.run({ actor, requestId: REVOKE_JOB, realm }, (tx) => {
    return slice.filter((id) => revokeOne(deps, tx, { realm, id })).length;
  });
}

/** Judges one licence again inside the unit. False: it is not to be revoked (any more). */
function revokeOne(
  deps: RevokeLapsedDeps,
  tx: Tx,
  { realm, id }: { readonly realm: RealmId; readonly id: string },
): boolean {
  const reader = tx.in(realm);
  const license = findLicense(reader, id);
  if (license?.status !== 'expired') return false;
  const { expiresAt, startsOn, policyId, policyVersion: version } = license;
  const { settings } = deps.policies.get(reader, { realm, id: policyId, version });
  if (!isRevokedBy(settings, expiresAt, tx.now)) return false;
  const to = { status: 'revoked', expiresAt, startsOn, policyId } as const;
  return !('stale' in moved(deps, tx, { viewer: { realm, reveal: false }, license, action: 'revoke', to }));
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
