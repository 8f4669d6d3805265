import { describe, expect, it } from 'vitest';
import { DAY } from '../../../src/lib/clock.ts';
import {
  type LicenseAction,
  nextStatus,
  TRANSITIONS,
} from '../../../src/licensing/licenses/license-states.ts';
import { LICENSE_STATUSES, type LicenseStatus, statusAt } from '../../../src/licensing/licenses/license.ts';
import { renewedExpiry } from '../../../src/licensing/licenses/renew.ts';
import { isRevokedBy } from '../../../src/licensing/licenses/revoke-lapsed.ts';
import { resolvePolicySettings } from '../../../src/licensing/policies/policy-settings.ts';
import { maskEmail, maskName } from '../../../src/licensing/masking.ts';

const NOW = Date.UTC(2026, 5, 1);

/** The table of the specification, written out: the state each action leads to, or null where it is refused. */
const TABLE: Record<LicenseAction, Record<LicenseStatus, LicenseStatus | null>> = {
  suspend: { active: 'suspended', suspended: null, expired: null, revoked: null, banned: null },
  reinstate: { active: null, suspended: 'active', expired: null, revoked: null, banned: null },
  renew: { active: 'active', suspended: null, expired: 'active', revoked: null, banned: null },
  revoke: { active: 'revoked', suspended: 'revoked', expired: 'revoked', revoked: null, banned: null },
  ban: { active: 'banned', suspended: 'banned', expired: 'banned', revoked: null, banned: null },
  expire: { active: 'expired', suspended: null, expired: null, revoked: null, banned: null },
  transfer: { active: 'active', suspended: 'suspended', expired: 'expired', revoked: null, banned: null },
};

const ACTIONS = Object.keys(TRANSITIONS) as LicenseAction[]; // the keys of the table are the actions
const CROSS = ACTIONS.flatMap((action) => LICENSE_STATUSES.map((status) => [action, status] as const));

describe('the table of transitions', () => {
  it.each(CROSS)('%s of a licence that is %s', (action, status) => {
    const next = nextStatus({ id: 'lic_1', status, expiresAt: null }, action, NOW);
    const expected = TABLE[action][status];
    if (expected === null) {
      expect(next).toMatchObject({
        refused: { code: 'CONFLICT', message: expect.stringContaining(status) as string },
      });
    } else {
      expect(next).toEqual({ status: expected });
    }
  });

  it.each(ACTIONS.filter((action) => action !== 'expire'))(
    'takes an active licence whose time has come for an expired one: %s',
    (action) => {
      const over = { id: 'lic_1', status: 'active', expiresAt: NOW } as const;
      const expected = TABLE[action].expired;
      const next = nextStatus(over, action, NOW);
      // A transfer keeps the state as it is stored; the sweeper writes the other.
      if (expected === null) expect(next).toMatchObject({ refused: { code: 'CONFLICT' } });
      else expect(next).toEqual({ status: action === 'transfer' ? 'active' : expected });
    },
  );
});

describe('the sweeper', () => {
  it('looks at what is stored: an active licence whose time has come is what it makes expired, once', () => {
    const over = { id: 'lic_1', status: 'active', expiresAt: NOW } as const;
    expect(nextStatus(over, 'expire', NOW)).toEqual({ status: 'expired' });
    expect(nextStatus({ ...over, status: 'expired' }, 'expire', NOW)).toMatchObject({
      refused: { code: 'CONFLICT', message: 'licence lic_1 is expired and cannot be expired' },
    });
  });
});

describe('the state that holds now', () => {
  it.each([
    ['active', null, 'active'],
    ['active', NOW + 1, 'active'],
    ['active', NOW, 'expired'],
    ['suspended', NOW - 1, 'suspended'],
    ['revoked', NOW - 1, 'revoked'],
    ['expired', NOW - 1, 'expired'],
  ] as const)('of a licence stored as %s that expires at %s is %s', (status, expiresAt, holds) => {
    expect(statusAt({ status, expiresAt }, NOW)).toBe(holds);
  });
});

describe('a renewal', () => {
  const settings = resolvePolicySettings(
    { template: null, templateVersion: 1 },
    { maxMachines: 1, durationDays: 30 },
  );
  const license = (expiresAt: number | null) => ({ id: 'lic_1', expiresAt, startsOn: null });

  it.each([
    ['FROM_EXPIRY', NOW + 5 * DAY, NOW + 15 * DAY],
    ['FROM_EXPIRY', NOW - 5 * DAY, NOW + 5 * DAY],
    ['FROM_NOW', NOW + 5 * DAY, NOW + 10 * DAY],
    ['FROM_NOW_IF_EXPIRED', NOW + 5 * DAY, NOW + 15 * DAY],
    ['FROM_NOW_IF_EXPIRED', NOW - 5 * DAY, NOW + 10 * DAY],
  ] as const)('by 10 days counts %s', (renewalBasis, expiresAt, until) => {
    const given = { license: license(expiresAt), settings: { ...settings, renewalBasis }, now: NOW };
    expect(renewedExpiry(given, { days: 10 })).toBe(until);
  });

  it('takes the duration of the policy when nothing is said', () => {
    const given = { license: license(NOW), settings, now: NOW };
    expect(renewedExpiry(given, {})).toBe(NOW + 30 * DAY);
  });

  it('takes a time as it is', () => {
    const given = { license: license(null), settings, now: NOW };
    expect(renewedExpiry(given, { expiresAt: '2027-01-01T00:00:00Z' })).toBe(Date.UTC(2027, 0, 1));
  });

  it.each([
    [NOW - 20 * DAY, { days: 10 }, 'would have expired at 2026-05-22T00:00:00.000Z'],
    [null, { days: 10 }, 'never expires'],
    [NOW, { expiresAt: '2026-06-01T00:00:00Z' }, 'not in the future'],
  ] as const)('of what expires at %s by %o is refused: %s', (expiresAt, by, message) => {
    const given = { license: license(expiresAt), settings, now: NOW };
    expect(() => renewedExpiry(given, by)).toThrow(message);
  });

  it('of a licence whose term has not begun has to say until when', () => {
    const waiting = { ...license(null), startsOn: 'activation' } as const;
    expect(() => renewedExpiry({ license: waiting, settings, now: NOW }, { days: 10 })).toThrow(
      'its term has not begun, it waits for the first activation',
    );
  });

  it('never leads beyond the year 9999', () => {
    const given = { license: license(Date.UTC(9999, 0, 1)), settings, now: NOW };
    expect(() => renewedExpiry(given, { days: 365 })).toThrow('later than 9999-12-31');
    expect(renewedExpiry(given, { days: 364 })).toBe(Date.UTC(9999, 11, 31));
  });

  it('of a licence under a policy without duration has to say how long', () => {
    const given = { license: license(NOW), settings: { ...settings, durationDays: null }, now: NOW };
    expect(() => renewedExpiry(given, {})).toThrow('give expiresAt or days');
  });
});

describe('revoking at expiry', () => {
  const revoke = { expirationStrategy: 'REVOKE', graceDays: 0 } as const;

  it.each([
    [revoke, NOW, true],
    [revoke, NOW + 1, false],
    [{ ...revoke, graceDays: 2 }, NOW - DAY, false],
    [{ ...revoke, graceDays: 2 }, NOW - 2 * DAY, true],
    [{ ...revoke, expirationStrategy: 'RESTRICT_ACCESS' as const }, NOW - DAY, false],
    [{ ...revoke, expirationStrategy: 'ALLOW_ACCESS' as const }, NOW - DAY, false],
    [revoke, null, false],
  ] as const)('%o after %s: %s', (settings, expiresAt, revoked) => {
    expect(isRevokedBy(settings, expiresAt, NOW)).toBe(revoked);
  });
});

describe('masking', () => {
  it.each([
    ['jane@acme.example', 'j•••@acme.example'],
    ['ü@x', 'ü•••@x'],
    ['a@b@c', 'a•••@c'],
  ])('%s reads %s', (address, masked) => expect(maskEmail(address)).toBe(masked));

  it('keeps the first character of a name whole', () => expect(maskName('𝒥ane Doe')).toBe('𝒥•••'));
});
