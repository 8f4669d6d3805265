import { describe, expect, it } from 'vitest';
import { isCarried, termsOf, type TermsBasis } from '../../src/issuing/checkout-terms.ts';
import { DAY, HOUR, SECOND } from '../../src/lib/clock.ts';

const NOW = Date.UTC(2026, 10, 22, 12);
const basis = (given: Partial<TermsBasis> = {}): TermsBasis => ({
  ...{ now: NOW, ttlSeconds: undefined, offlineMaxDays: 30, licenseEndsAt: null, entitlementEnds: [] },
  ...given,
});
/** For how long, and what decided. */
const life = (given: Partial<TermsBasis>): readonly [number, string] => {
  const { issuedAt, expiresAt, bound } = termsOf(basis(given));
  expect(issuedAt).toBe(NOW);
  return [expiresAt - NOW, bound];
};
const refusal = (given: Partial<TermsBasis>): unknown => {
  try {
    return termsOf(basis(given));
  } catch (error) {
    return error;
  }
};

describe('the life of a file', () => {
  it.each<[string, Partial<TermsBasis>, number, string]>([
    ['is 14 days when nothing is asked for', {}, 14 * DAY, 'ttl'],
    ['is what the policy allows when that is less', { offlineMaxDays: 7 }, 7 * DAY, 'offlineMaxDays'],
    ['is 14 days by the policy when it allows just that', { offlineMaxDays: 14 }, 14 * DAY, 'offlineMaxDays'],
    ['is what was asked for', { ttlSeconds: 20 * 86_400 }, 20 * DAY, 'ttl'],
    ['is what was asked for, up to what the policy allows', { ttlSeconds: 30 * 86_400 }, 30 * DAY, 'ttl'],
    ['is an hour when an hour is asked for', { ttlSeconds: 3600 }, HOUR, 'ttl'],
    ['ends with the licence', { licenseEndsAt: NOW + 2 * DAY }, 2 * DAY, 'licenseExpiry'],
    ['does not end with a licence that ends later', { licenseEndsAt: NOW + 15 * DAY }, 14 * DAY, 'ttl'],
    [
      'is what was asked for when the licence ends with it',
      { licenseEndsAt: NOW + 14 * DAY },
      14 * DAY,
      'ttl',
    ],
    [
      'ends with the first entitlement',
      { entitlementEnds: [NOW + 5 * DAY, NOW + 3 * DAY] },
      3 * DAY,
      'entitlementExpiry',
    ],
    ['is not lengthened by an entitlement', { entitlementEnds: [NOW + 60 * DAY] }, 14 * DAY, 'ttl'],
    [
      'is not cut for an entitlement that ends with it',
      { entitlementEnds: [NOW + 14 * DAY] },
      14 * DAY,
      'ttl',
    ],
    ['is not cut below an hour', { entitlementEnds: [NOW + HOUR - 1, NOW + DAY] }, DAY, 'entitlementExpiry'],
    ['is cut to an hour', { entitlementEnds: [NOW + HOUR] }, HOUR, 'entitlementExpiry'],
    [
      'of a licence that ends within the hour is cut for what ends with it or later, and for nothing else',
      { licenseEndsAt: NOW + 1000, entitlementEnds: [NOW + 500, NOW + 1000] },
      1000,
      'licenseExpiry',
    ],
  ])('%s', (...[, given, ms, bound]) => {
    expect(life(given)).toEqual([ms, bound]);
  });

  it.each([3599, 0, -1, 30 * 86_400 + 1])('is refused as %d seconds, with the range', (ttlSeconds) => {
    const message = `ttlSeconds ${String(ttlSeconds)} is not within 3600 and 2592000, what the policy allows`;
    expect(refusal({ ttlSeconds })).toMatchObject({
      code: 'VALIDATION_FAILED',
      message,
      errors: [{ path: 'ttlSeconds', code: 'TTL_RANGE', message }],
    });
  });

  it('is in milliseconds, and asked for in seconds', () => {
    expect(life({ ttlSeconds: 4000 })).toEqual([4000 * SECOND, 'ttl']);
  });
});

describe('an entitlement', () => {
  it.each([
    [null, true],
    [NOW, true],
    [NOW + 1, true],
    [NOW - 1, false],
  ])('that ends at %s stands in a file that ends now: %s', (expiresAt, stands) => {
    expect(isCarried({ expiresAt }, NOW)).toBe(stands);
  });
});
