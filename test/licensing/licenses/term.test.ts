import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DAY } from '../../../src/lib/clock.ts';
import {
  newTerm,
  nextNotice,
  NOTICE_DAYS,
  noticeAt,
  startedTerm,
} from '../../../src/licensing/licenses/term.ts';
import {
  type PolicyOverrides,
  resolvePolicySettings,
} from '../../../src/licensing/policies/policy-settings.ts';

const NOW = Date.UTC(2026, 5, 1);
const settings = (overrides: PolicyOverrides) =>
  resolvePolicySettings({ template: null, templateVersion: 1 }, { maxMachines: 1, ...overrides });

const BASES = ['FROM_CREATION', 'FROM_FIRST_ACTIVATION', 'FROM_FIRST_VALIDATION'] as const;
const WAITS_FOR = {
  FROM_CREATION: null,
  FROM_FIRST_ACTIVATION: 'activation',
  FROM_FIRST_VALIDATION: 'validation',
} as const;

/** Durations a policy can state, and the days that follow. */
const DURATIONS = [
  [{}, null],
  [{ durationDays: 30 }, 30],
  [{ durationDays: 30, isTrial: true }, 30],
  [{ durationDays: 30, isTrial: true, trialDurationDays: 7 }, 7],
  [{ isTrial: true, trialDurationDays: 7 }, 7],
] as const;

const CROSS = BASES.flatMap((basis) =>
  DURATIONS.flatMap(([stated, days]) =>
    ([false, true] as const).map((behind) => ({ basis, stated, days, behind })),
  ),
);

describe('the term of a new licence', () => {
  it.each(CROSS)('$basis with $stated, and what it waits for behind it: $behind', (row) => {
    const { basis, stated, days, behind } = row;
    const happened = { activation: behind, validation: behind };
    const term = newTerm(settings({ expirationBasis: basis, ...stated }), NOW, happened);
    if (days === null) expect(term).toEqual({ expiresAt: null, startsOn: null });
    else if (WAITS_FOR[basis] !== null && !behind)
      expect(term).toEqual({ expiresAt: null, startsOn: WAITS_FOR[basis] });
    else expect(term).toEqual({ expiresAt: NOW + days * DAY, startsOn: null });
  });

  it('does not wait for something else than what happened', () => {
    const policy = settings({ expirationBasis: 'FROM_FIRST_VALIDATION', durationDays: 3 });
    expect(newTerm(policy, NOW, { activation: true, validation: false }).startsOn).toBe('validation');
  });

  it.each(DURATIONS)('once begun, under %o, lasts %s days', (stated, days) => {
    const expiresAt = days === null ? null : NOW + days * DAY;
    expect(startedTerm(settings(stated), NOW)).toEqual({ expiresAt, startsOn: null });
  });
});

describe('the notices before an expiry', () => {
  it.each([
    [365 * DAY, 30],
    [30 * DAY + 1, 30],
    [30 * DAY, 14],
    [14 * DAY, 7],
    [7 * DAY, 1],
    [5 * DAY, 1],
    [DAY + 1, 1],
    [DAY, null],
    [1, null],
    [0, null],
    [-DAY, null],
  ] as const)('of a term with %i ms left: the next is that of %s days', (left, days) => {
    const expected = days === null ? null : NOW + left - days * DAY;
    expect(nextNotice(NOW + left, NOW)).toBe(expected);
  });

  it('of a licence that never expires do not come', () => {
    expect(nextNotice(null, NOW)).toBeNull();
  });

  it.each([
    [30 * DAY + 1, null],
    [30 * DAY, 30],
    [15 * DAY, 30],
    [14 * DAY, 14],
    [3 * DAY, 7],
    [DAY, 1],
    [1, 1],
    [0, null],
  ] as const)('with %i ms left: the newest that has come is that of %s days', (left, days) => {
    expect(noticeAt(NOW + left, NOW)).toBe(days);
  });

  it('come each once, in order, however time goes forward', () => {
    const steps = fc.array(fc.integer({ min: 1, max: 40 * DAY }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 * DAY }), steps, (life, advances) => {
        const expiresAt = NOW + life;
        let [now, due] = [NOW, nextNotice(NOW + life, NOW)];
        const told: number[] = [];
        for (const step of advances) {
          now += step;
          if (due === null || due > now) continue;
          const days = noticeAt(expiresAt, now);
          if (days !== null) told.push(days);
          due = nextNotice(expiresAt, now);
        }
        expect(told).toEqual([...new Set(told)].sort((a, b) => b - a));
        // Nothing that had passed when the term began.
        for (const days of told) expect(days * DAY).toBeLessThan(life);
      }),
    );
  });

  it('come all of them, to whoever looks often enough', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 400 }), (lifeDays) => {
        const expiresAt = NOW + lifeDays * DAY;
        const told: number[] = [];
        let due = nextNotice(expiresAt, NOW);
        for (let now = NOW; now <= expiresAt; now += DAY / 4) {
          if (due === null || due > now) continue;
          told.push(noticeAt(expiresAt, now) ?? -1);
          due = nextNotice(expiresAt, now);
        }
        expect(told).toEqual(NOTICE_DAYS.filter((days) => days < lifeDays));
      }),
    );
  });
});
