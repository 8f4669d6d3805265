import { Fault } from '../faults.ts';
import { type EpochMs, DAY, HOUR, SECOND } from '../lib/clock.ts';

/** A file lives at least this long when a time is asked for, and is cut no shorter for an entitlement … */
const TTL_MIN_SECONDS = HOUR / SECOND;
/** … and this long when none is asked for, or as long as the policy allows if that is less. */
const TTL_DEFAULT_MS = 14 * DAY;

/** What may decide how long a file lives. */
export const BOUNDS = ['ttl', 'offlineMaxDays', 'licenseExpiry', 'entitlementExpiry'] as const;

/** One of them. */
export type Bound = (typeof BOUNDS)[number];

/** From when until when a file is good. */
export interface Terms {
  readonly issuedAt: EpochMs;
  readonly expiresAt: EpochMs;
  readonly bound: Bound;
}

/** What the terms of a file follow from. */
export interface TermsBasis {
  /** Trusted time. */
  readonly now: EpochMs;
  /** Asked for; undefined: the default. */
  readonly ttlSeconds: number | undefined;
  readonly offlineMaxDays: number;
  /** When the licence ends, grace included; null: a file may outlive it, or it does not end. */
  readonly licenseEndsAt: EpochMs | null;
  /** When what the licence holds now ends, as far as it ends. */
  readonly entitlementEnds: readonly EpochMs[];
}

/**
 * How long a file lives: the least of what was asked for, what the policy allows, what the licence has left and what the
 * entitlements in it have left. Whoever reads the file takes them for granted until it ends; so what ends before the
 * file does not stand in it ({@link isCarried}), and that is what ends within the hour. Pure.
 * @throws Fault VALIDATION_FAILED when more or less was asked for than may be
 */
export function termsOf(basis: TermsBasis): Terms {
  const { now } = basis;
  const terms = withoutEntitlements(basis);
  const least = Math.min(terms.expiresAt, now + TTL_MIN_SECONDS * SECOND);
  const end = Math.min(...basis.entitlementEnds.filter((endsAt) => endsAt >= least));
  return end < terms.expiresAt ? { ...terms, expiresAt: end, bound: 'entitlementExpiry' } : terms;
}

/** Whether an entitlement stands in a file: it holds as long as the file lives. */
export function isCarried(
  { expiresAt }: { readonly expiresAt: EpochMs | null },
  fileEndsAt: EpochMs,
): boolean {
  return expiresAt === null || expiresAt >= fileEndsAt;
}

function withoutEntitlements({ now, ttlSeconds, offlineMaxDays, licenseEndsAt }: TermsBasis): Terms {
  const allowed = offlineMaxDays * DAY;
  requireWithin(ttlSeconds, allowed / SECOND);
  const asked = ttlSeconds === undefined ? Math.min(TTL_DEFAULT_MS, allowed) : ttlSeconds * SECOND;
  const bounds: readonly (readonly [Bound, EpochMs])[] = [
    ['ttl', now + asked],
    ['offlineMaxDays', now + allowed],
    ['licenseExpiry', licenseEndsAt ?? Number.POSITIVE_INFINITY],
  ];
  // Of equal bounds the first: what was asked for before what was merely allowed.
  const [bound, expiresAt] = bounds.reduce((least, next) => (next[1] < least[1] ? next : least));
  const unasked = bound === 'ttl' && ttlSeconds === undefined && asked === allowed;
  return { issuedAt: now, expiresAt, bound: unasked ? 'offlineMaxDays' : bound };
}

function requireWithin(ttlSeconds: number | undefined, maxSeconds: number): void {
  if (ttlSeconds === undefined || (ttlSeconds >= TTL_MIN_SECONDS && ttlSeconds <= maxSeconds)) return;
  const message = `ttlSeconds ${ttlSeconds} is not within ${TTL_MIN_SECONDS} and ${maxSeconds}, what the policy allows`;
  throw new Fault('VALIDATION_FAILED', message, {
    errors: [{ path: 'ttlSeconds', code: 'TTL_RANGE', message }],
  });
}
