import { describe, expect, it } from 'vitest';
import { DAY, HOUR, MINUTE, SECOND } from '../../src/lib/clock.ts';
import {
  believe,
  type ClockMark,
  EARLIEST,
  judge,
  resume,
  type SuspectReason,
} from '../../src/storage/clock-rules.ts';

const T = Date.UTC(2026, 5, 1, 12);
const MARK: ClockMark = {
  trusted: T,
  wall: T,
  bootId: 'boot-a',
  boottime: HOUR,
  suspect: null,
  quietSince: 0,
};

interface Start {
  readonly title: string;
  readonly mark?: Partial<ClockMark> | null;
  readonly bootId?: string;
  /** Milliseconds after the mark. */
  readonly boottime?: number;
  readonly wall: number;
  readonly trusted: number;
  readonly suspect: SuspectReason | null;
}

const STARTS: readonly Start[] = [
  { title: 'a new appliance takes the wall clock', mark: null, wall: T, trusted: T, suspect: null },
  {
    title: 'a new appliance in 1970 is suspect',
    mark: null,
    wall: 0,
    trusted: EARLIEST,
    suspect: 'wall-behind',
  },
  {
    title: 'same boot: T goes on by boot time',
    boottime: HOUR,
    wall: T + HOUR,
    trusted: T + HOUR,
    suspect: null,
  },
  {
    title: 'same boot: T follows boot time, not a wall clock 4 min ahead',
    boottime: HOUR,
    wall: T + HOUR + 4 * MINUTE,
    trusted: T + HOUR,
    suspect: null,
  },
  {
    title: 'same boot: a wall clock set ahead during the stop is suspect',
    boottime: HOUR,
    wall: T + 2 * HOUR,
    trusted: T + HOUR,
    suspect: 'wall-ahead',
  },
  {
    title: 'same boot: a wall clock set back during the stop is suspect',
    boottime: HOUR,
    wall: T,
    trusted: T + HOUR,
    suspect: 'wall-behind',
  },
  {
    title: 'another boot: T takes the wall clock after a day',
    bootId: 'boot-b',
    boottime: 0,
    wall: T + DAY,
    trusted: T + DAY,
    suspect: null,
  },
  {
    title: 'another boot: exactly 30 days are believed',
    bootId: 'boot-b',
    boottime: 0,
    wall: T + 30 * DAY,
    trusted: T + 30 * DAY,
    suspect: null,
  },
  {
    title: 'another boot: more than 30 days are not, and T stands',
    bootId: 'boot-b',
    boottime: 0,
    wall: T + 30 * DAY + 1,
    trusted: T,
    suspect: 'wall-ahead-at-start',
  },
  {
    title: 'another boot: years ahead, past 2038',
    bootId: 'boot-b',
    boottime: 0,
    wall: Date.UTC(2040, 0, 1),
    trusted: T,
    suspect: 'wall-ahead-at-start',
  },
  {
    title: 'another boot: 5 min behind is tolerated, T does not go down',
    bootId: 'boot-b',
    boottime: 0,
    wall: T - 5 * MINUTE,
    trusted: T,
    suspect: null,
  },
  {
    title: 'another boot: more than 5 min behind is suspect',
    bootId: 'boot-b',
    boottime: 0,
    wall: T - 5 * MINUTE - 1,
    trusted: T,
    suspect: 'wall-behind',
  },
  {
    title: 'another boot: 1970 (battery dead)',
    bootId: 'boot-b',
    boottime: 0,
    wall: 0,
    trusted: T,
    suspect: 'wall-behind',
  },
  {
    title: 'another boot: 2000 (battery dead)',
    bootId: 'boot-b',
    boottime: 0,
    wall: Date.UTC(2000, 0, 1),
    trusted: T,
    suspect: 'wall-behind',
  },
  {
    title: 'a boot time that went back is another boot',
    boottime: -SECOND,
    wall: T + DAY,
    trusted: T + DAY,
    suspect: null,
  },
  {
    title: 'a system that names no boot is always another boot',
    mark: { bootId: '' },
    bootId: '',
    boottime: HOUR,
    wall: T + DAY,
    trusted: T + DAY,
    suspect: null,
  },
  {
    title: 'a suspicion outlives a restart, even with the wall clock right',
    mark: { suspect: 'wall-behind' },
    bootId: 'boot-b',
    boottime: 0,
    wall: T + HOUR,
    trusted: T,
    suspect: 'wall-behind',
  },
  {
    title: 'while suspect, T still goes on by boot time',
    mark: { suspect: 'wall-ahead' },
    boottime: HOUR,
    wall: T + HOUR,
    trusted: T + HOUR,
    suspect: 'wall-ahead',
  },
  {
    title: 'the week of 2038-01-19 is a week like any other',
    mark: { trusted: Date.UTC(2038, 0, 18) },
    bootId: 'boot-b',
    boottime: 0,
    wall: Date.UTC(2038, 0, 20),
    trusted: Date.UTC(2038, 0, 20),
    suspect: null,
  },
  {
    title: 'a leap day passes',
    mark: { trusted: Date.UTC(2028, 1, 28, 23) },
    bootId: 'boot-b',
    boottime: 0,
    wall: Date.UTC(2028, 2, 1),
    trusted: Date.UTC(2028, 2, 1),
    suspect: null,
  },
];

describe('trusted time after a stop', () => {
  it.each(STARTS)('$title', ({ mark, bootId = 'boot-a', boottime = 0, wall, trusted, suspect }) => {
    const stored = mark === null ? null : { ...MARK, ...mark };
    const reading = { wall, bootId, boottime: HOUR + boottime };
    expect(resume(stored, reading)).toEqual({ trusted, suspect });
  });
});

describe('the wall clock while the appliance runs', () => {
  it.each([
    [0, null],
    [5 * MINUTE, null],
    [5 * MINUTE + 1, 'wall-ahead'],
    [-5 * MINUTE, null],
    [-5 * MINUTE - 1, 'wall-behind'],
    [-T, 'wall-behind'],
  ] as const)('%i ms away from trusted time gives %s', (offset, reason) => {
    expect(judge(T, T + offset)).toBe(reason);
  });
});

describe('what an operator accepts', () => {
  it.each([
    ['a wall clock ahead is taken', T + DAY, T + DAY],
    ['a wall clock a little behind does not lower trusted time', T - MINUTE, T],
    ['a wall clock well behind lowers it', T - HOUR, T - HOUR],
  ])('%s', (_, wall, after) => {
    expect(believe(T, wall)).toBe(after);
  });
});
