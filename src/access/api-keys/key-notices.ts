import { DAY, type EpochMs } from '../../lib/clock.ts';
import type { ApiKey } from './api-key.ts';

/** Days before its end at which a key is told of. */
export const NOTICE_DAYS = [30, 14, 7, 1] as const;
/** Share of an issue limit at which it is told of. */
const NEAR = 0.8;

/** What a key has issued, and what was told of it. */
export interface KeyStanding {
  /** Day (since the epoch) that `issuedCount` is of. */
  readonly issuedDay: number;
  readonly issuedCount: number;
  readonly issuedTotal: number;
  /** Day on which its daily limit was last told of. */
  readonly alertedDay: number;
  /** 1: its limit in all was told of. */
  readonly alertedTotal: number;
  /** When its rotation was last asked for. */
  readonly remindedAt: EpochMs | null;
  /** The notice of its end that was told last; null: none. */
  readonly announcedDays: number | null;
}

/** The standing of a key that nothing was ever counted of. */
export const NOTHING_YET: KeyStanding = {
  issuedDay: 0,
  issuedCount: 0,
  issuedTotal: 0,
  alertedDay: 0,
  alertedTotal: 0,
  remindedAt: null,
  announcedDays: null,
};

/** What the appliance asks of keys. Milliseconds. */
export interface KeyAgeRules {
  readonly reminderMs: number;
  /** Null: a secret may get as old as it likes. */
  readonly maxAgeMs: number | null;
}

/** One thing to be told of a key. */
export type KeyNotice =
  | { readonly type: 'key.rotation_due' }
  | {
      readonly type: 'key.expiring_soon';
      readonly withinDays: number;
      readonly endsAt: EpochMs;
      readonly because: 'expiry' | 'age';
    }
  | {
      readonly type: 'key.issue_limit_near';
      readonly limit: 'day' | 'total';
      readonly issued: number;
      readonly allowed: number;
    };

/** What is to be told of a living key now, and what will have been told then. Pure. */
export function noticesDue(
  key: ApiKey,
  standing: KeyStanding,
  at: KeyAgeRules & { readonly now: EpochMs },
): { readonly notices: readonly KeyNotice[]; readonly after: KeyStanding } {
  const rotation = rotationDue(key, standing, at);
  const end = endNotice(key, standing, at);
  const [day, total] = [dayNear(key, standing, at.now), totalNear(key, standing)];
  const after = {
    ...standing,
    remindedAt: rotation === undefined ? standing.remindedAt : at.now,
    announcedDays: end.announcedDays,
    alertedDay: day === undefined ? standing.alertedDay : dayOf(at.now),
    alertedTotal: total.alerted,
  };
  const notices = [rotation, end.notice, day, total.notice].filter((notice) => notice !== undefined);
  return { notices, after };
}

function rotationDue(
  { rotatedAt }: ApiKey,
  { remindedAt }: KeyStanding,
  { now, reminderMs }: { readonly now: EpochMs; readonly reminderMs: number },
): KeyNotice | undefined {
  const since = Math.max(rotatedAt, remindedAt ?? rotatedAt);
  return now - since >= reminderMs ? { type: 'key.rotation_due' } : undefined;
}

function endNotice(
  key: ApiKey,
  { announcedDays }: KeyStanding,
  { now, maxAgeMs }: KeyAgeRules & { readonly now: EpochMs },
): { readonly notice?: KeyNotice; readonly announcedDays: number | null } {
  const byAge = maxAgeMs === null ? Number.POSITIVE_INFINITY : key.rotatedAt + maxAgeMs;
  const byExpiry = key.expiresAt ?? Number.POSITIVE_INFINITY;
  const endsAt = Math.min(byAge, byExpiry);
  if (endsAt <= now) return { announcedDays };
  const withinDays = NOTICE_DAYS.filter((days) => endsAt - now <= days * DAY).at(-1);
  // Rotated, or its end moved: what is told of the new one begins anew.
  if (withinDays === undefined) return { announcedDays: null };
  if (announcedDays !== null && announcedDays <= withinDays) return { announcedDays };
  const because = byAge < byExpiry ? 'age' : 'expiry';
  return { notice: { type: 'key.expiring_soon', withinDays, endsAt, because }, announcedDays: withinDays };
}

function dayNear(
  { issueLimitPerDay: allowed }: ApiKey,
  { issuedDay, issuedCount: issued, alertedDay }: KeyStanding,
  now: EpochMs,
): KeyNotice | undefined {
  const today = dayOf(now);
  if (allowed === null || issuedDay !== today || alertedDay === today || !isNear(issued, allowed))
    return undefined;
  return { type: 'key.issue_limit_near', limit: 'day', issued, allowed };
}

function totalNear(
  { issueLimitTotal: allowed }: ApiKey,
  { issuedTotal: issued, alertedTotal }: KeyStanding,
): { readonly notice?: KeyNotice; readonly alerted: number } {
  if (allowed === null || !isNear(issued, allowed)) return { alerted: 0 };
  if (alertedTotal === 1) return { alerted: 1 };
  return { notice: { type: 'key.issue_limit_near', limit: 'total', issued, allowed }, alerted: 1 };
}

function isNear(issued: number, allowed: number): boolean {
  return issued > 0 && issued >= NEAR * allowed;
}

function dayOf(at: EpochMs): number {
  return Math.floor(at / DAY);
}
