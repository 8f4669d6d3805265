import { DAY, type EpochMs } from '../../lib/clock.ts';
import { licenseDurationDays, type PolicySettings } from '../policies/policy-settings.ts';

/** What begins the term of a licence that waits for it: its first machine, or its first valid validation. */
export type TermStart = 'activation' | 'validation';

/** Until when a licence lasts, and what it still waits for. Both null: for ever. */
export interface Term {
  readonly expiresAt: EpochMs | null;
  /** null: the term runs, or there is none. Not null: `expiresAt` is null, and set when this happens. */
  readonly startsOn: TermStart | null;
}

/** The last expiry there is: times stay four-digit years, and sums of them exact integers. */
export const LATEST_EXPIRY: EpochMs = Date.UTC(9999, 11, 31);

const WAITS_FOR: Readonly<Record<PolicySettings['expirationBasis'], TermStart | null>> = {
  FROM_CREATION: null,
  FROM_FIRST_ACTIVATION: 'activation',
  FROM_FIRST_VALIDATION: 'validation',
};

/**
 * The term a policy gives: its duration from now, from what is yet to happen, or none. Pure.
 * @param happened what has happened to the licence already; a term does not wait for it again
 */
export function newTerm(
  settings: PolicySettings,
  now: EpochMs,
  happened: { readonly [Start in TermStart]: boolean } = { activation: false, validation: false },
): Term {
  const waitsFor = WAITS_FOR[settings.expirationBasis];
  const waits = licenseDurationDays(settings) !== null && waitsFor !== null && !happened[waitsFor];
  return waits ? { expiresAt: null, startsOn: waitsFor } : startedTerm(settings, now);
}

/** The term once it has begun: the duration of the policy, counted from `from`. Pure. */
export function startedTerm(settings: PolicySettings, from: EpochMs): Term {
  const days = licenseDurationDays(settings);
  return { expiresAt: days === null ? null : from + days * DAY, startsOn: null };
}

/** How many days before its expiry a licence is announced, longest first. */
export const NOTICE_DAYS = [30, 14, 7, 1] as const;

/**
 * When it is next to be told that a licence expires: the next of the notices after `now`; null: none is left. A term
 * that begins with fewer days than a notice never has that notice.
 */
export function nextNotice(expiresAt: EpochMs | null, now: EpochMs): EpochMs | null {
  if (expiresAt === null) return null;
  const days = NOTICE_DAYS.find((before) => expiresAt - before * DAY > now);
  return days === undefined ? null : expiresAt - days * DAY;
}

/**
 * Which notice holds at `now`: the newest that has come, so that after a standstill older ones are not told any more;
 * null: none has come yet, or the licence has expired.
 */
export function noticeAt(expiresAt: EpochMs, now: EpochMs): (typeof NOTICE_DAYS)[number] | null {
  if (expiresAt <= now) return null;
  return NOTICE_DAYS.findLast((days) => expiresAt - days * DAY <= now) ?? null;
}
