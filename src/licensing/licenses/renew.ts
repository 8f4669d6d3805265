import type { Permit } from '../../access/index.ts';
import { Fault } from '../../faults.ts';
import { DAY, type EpochMs, isoTime } from '../../lib/clock.ts';
import { realmOf } from '../caller.ts';
import { licenseDurationDays, type PolicySettings } from '../policies/policy-settings.ts';
import type { Shown } from '../schema.ts';
import type { RenewInput } from './license-schema.ts';
import type { LicenseView } from './license-view.ts';
import type { LicenseSnapshot } from './license.ts';
import { requireFuture } from './prepare.ts';
import { LATEST_EXPIRY } from './term.ts';
import { transition, type TransitionDeps, type TransitionRequest } from './transition.ts';

/**
 * Renews an active or expired licence: to a time, by a number of days, or by the duration of its policy.
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED, CONFLICT; VALIDATION_FAILED when the expiry would not lie ahead
 */
export async function renewLicense(
  deps: TransitionDeps,
  permit: Permit,
  request: TransitionRequest & RenewInput,
): Promise<Shown<LicenseView>> {
  const realm = realmOf(permit);
  return transition(deps, permit, {
    ...request,
    action: 'renew',
    plan: ({ license, reader, now, status }) => {
      const { policyId, policyVersion } = license;
      const { settings } = deps.policies.get(reader, { realm, id: policyId, version: policyVersion });
      const expiresAt = renewedExpiry({ license, settings, now }, request);
      return { status, policyId, expiresAt, startsOn: null };
    },
  });
}

/**
 * When a renewed licence expires. Pure.
 * @throws Fault VALIDATION_FAILED when nothing says how long, or the time would not lie ahead
 */
export function renewedExpiry(
  given: {
    readonly license: Pick<LicenseSnapshot, 'id' | 'expiresAt' | 'startsOn'>;
    readonly settings: PolicySettings;
    readonly now: EpochMs;
  },
  { expiresAt, days }: RenewInput,
): EpochMs {
  const { license, settings, now } = given;
  if (expiresAt !== undefined) return requireFuture('expiresAt', Date.parse(expiresAt), now);
  if (license.expiresAt === null) throw nothingToRenew(license);
  const length = days ?? licenseDurationDays(settings);
  if (length === null) throw invalid('its policy has no duration: give expiresAt or days');
  const from = RENEWS_FROM[settings.renewalBasis](license.expiresAt, now);
  const until = from + length * DAY;
  if (until > LATEST_EXPIRY) throw invalid(`the licence would expire later than ${isoTime(LATEST_EXPIRY)}`);
  if (until > now) return until;
  throw invalid(`the licence would have expired at ${isoTime(until)}: give more days, or expiresAt`);
}

function nothingToRenew({ startsOn }: Pick<LicenseSnapshot, 'startsOn'>): Fault {
  if (startsOn === null) return invalid('the licence never expires: give expiresAt to end that');
  return invalid(`its term has not begun, it waits for the first ${startsOn}: give expiresAt to fix its end`);
}

/** From when a renewal counts (policy `renewalBasis`). */
const RENEWS_FROM: Readonly<
  Record<PolicySettings['renewalBasis'], (expiresAt: EpochMs, now: EpochMs) => EpochMs>
> = {
  FROM_EXPIRY: (expiresAt) => expiresAt,
  FROM_NOW: (_expiresAt, now) => now,
  FROM_NOW_IF_EXPIRED: (expiresAt, now) => (expiresAt <= now ? now : expiresAt),
};

function invalid(message: string): Fault {
  return new Fault('VALIDATION_FAILED', message, { errors: [{ path: 'days', code: 'LICENSE', message }] });
}
