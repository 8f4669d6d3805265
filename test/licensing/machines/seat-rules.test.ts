import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  agrees,
  isFiller,
  type Matching,
  neededToRecognise,
} from '../../../src/licensing/machines/component-matching.ts';
import { crossesLimit, seatsAllowed } from '../../../src/licensing/machines/seat-limit.ts';
import { resolvePolicySettings } from '../../../src/licensing/policies/policy-settings.ts';

const overage = (overageStrategy: string) =>
  resolvePolicySettings({ template: null, templateVersion: 1 }, { maxMachines: 1, overageStrategy } as never);

describe('the seats that may be taken', () => {
  it.each([
    ['NO_OVERAGE', 1, 1],
    ['NO_OVERAGE', 7, 7],
    ['ALLOW_1_25X', 1, 1],
    ['ALLOW_1_25X', 3, 3],
    ['ALLOW_1_25X', 4, 5],
    ['ALLOW_1_25X', 7, 8],
    ['ALLOW_1_25X', 100, 125],
    ['ALLOW_1_5X', 1, 1],
    ['ALLOW_1_5X', 2, 3],
    ['ALLOW_1_5X', 3, 4],
    ['ALLOW_2X', 1, 2],
    ['ALLOW_2X', 1_000_000_000, 2_000_000_000],
    ['ALWAYS_ALLOW', 1, null],
  ])('under %s of %i are %s: a part of a seat is none', (strategy, maxMachines, seats) => {
    expect(seatsAllowed(maxMachines, overage(strategy))).toBe(seats);
  });

  it('are without number where the licence is unlimited, whatever the overage', () => {
    for (const strategy of ['NO_OVERAGE', 'ALLOW_1_25X', 'ALWAYS_ALLOW']) {
      expect(seatsAllowed(null, overage(strategy))).toBeNull();
    }
  });

  it('are never fewer than the limit, and more overage never means fewer', () => {
    const order = ['NO_OVERAGE', 'ALLOW_1_25X', 'ALLOW_1_5X', 'ALLOW_2X'];
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000_000 }), (limit) => {
        const seats = order.map((strategy) => seatsAllowed(limit, overage(strategy)) ?? Infinity);
        expect(seats[0]).toBe(limit);
        expect([...seats].sort((a, b) => a - b)).toEqual(seats);
        expect(seats.every(Number.isSafeInteger)).toBe(true);
      }),
    );
  });

  it('cross the limit with the first one beyond it, and with no other', () => {
    expect([1, 2, 3, 4].map((seats) => crossesLimit(seats, 2))).toEqual([false, false, true, false]);
    expect(crossesLimit(1, null)).toBe(false);
  });
});

describe('a machine with the right fingerprint', () => {
  it.each<[Matching, number, number, boolean]>([
    // matching, compared, equal
    ['MATCH_ALL', 0, 0, true],
    ['MATCH_ALL', 3, 3, true],
    ['MATCH_ALL', 3, 2, false],
    ['MATCH_MOST', 0, 0, true],
    ['MATCH_MOST', 1, 1, true],
    ['MATCH_MOST', 1, 0, false],
    ['MATCH_MOST', 2, 1, false],
    ['MATCH_MOST', 3, 2, true],
    ['MATCH_MOST', 4, 2, false],
    ['MATCH_MOST', 4, 3, true],
    ['MATCH_MOST', 5, 3, true],
    ['MATCH_TWO', 0, 0, true],
    ['MATCH_TWO', 1, 1, true],
    ['MATCH_TWO', 1, 0, false],
    ['MATCH_TWO', 4, 1, false],
    ['MATCH_TWO', 4, 2, true],
    ['MATCH_ANY', 0, 0, true],
    ['MATCH_ANY', 4, 0, false],
    ['MATCH_ANY', 4, 1, true],
  ])('under %s, with %i components compared and %i equal, is it: %s', (...row) => {
    const [matching, compared, equal, same] = row;
    expect(agrees(matching, { compared, equal })).toBe(same);
  });
});

describe('a machine with another fingerprint', () => {
  it.each<[Matching, readonly (number | null)[]]>([
    // for 0, 1, 2, 3, 4, 5 stored components
    ['MATCH_ALL', [null, null, null, null, null, null]],
    ['MATCH_MOST', [null, null, 2, 2, 3, 3]],
    ['MATCH_TWO', [null, null, 2, 2, 2, 2]],
    ['MATCH_ANY', [null, 1, 1, 1, 1, 1]],
  ])('under %s needs so many equal components of 0 to 5 stored: %o', (matching, needed) => {
    expect([0, 1, 2, 3, 4, 5].map((stored) => neededToRecognise(matching, stored))).toEqual(needed);
  });

  it('is never recognised with fewer components than one with the right fingerprint needs of the same', () => {
    const all = fc.constantFrom<Matching>('MATCH_ALL', 'MATCH_MOST', 'MATCH_TWO', 'MATCH_ANY');
    fc.assert(
      fc.property(all, fc.nat(16), fc.nat(16), (matching, stored, equal) => {
        const needed = neededToRecognise(matching, stored);
        if (needed === null || equal > stored || equal < needed) return;
        expect(agrees(matching, { compared: stored, equal })).toBe(true);
      }),
    );
  });
});

describe('a value that only fills its field', () => {
  it.each([
    '0',
    '00000000',
    '00:00:00:00:00:00',
    'ff:ff:ff:ff:ff:ff',
    'None',
    ' default string ',
    'To be filled by O.E.M.',
  ])('identifies nothing: %j', (value) => {
    expect(isFiller(value)).toBe(true);
  });

  it.each(['S3Z9NB0K', '02:42:ac:11:00:02', '4c4c4544-004d', 'none-of-them', 'board-1'])(
    'is not %j',
    (value) => {
      expect(isFiller(value)).toBe(false);
    },
  );
});
