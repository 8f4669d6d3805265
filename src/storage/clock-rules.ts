import { DAY, type EpochMs, MINUTE } from '../lib/clock.ts';

/** The wall clock may stand this far from trusted time without anybody being alarmed. */
export const TOLERANCE_MS = 5 * MINUTE;
/** Longest stop after which a wall clock that ran ahead is believed (`clock.maxDowntime`). */
export const MAX_DOWNTIME_MS = 30 * DAY;
/** No appliance was made before this; a clock that says so has lost its battery. 1 January 2026. */
export const EARLIEST: EpochMs = Date.UTC(2026, 0, 1);

/** Why the clock is suspect. */
export type SuspectReason = 'wall-behind' | 'wall-ahead' | 'wall-ahead-at-start';

/** What is stored with every commit. */
export interface ClockMark {
  readonly trusted: EpochMs;
  readonly wall: EpochMs;
  /** Random per boot of the machine; empty when the system does not say. */
  readonly bootId: string;
  /** Milliseconds since that boot, time asleep included (CLOCK_BOOTTIME). */
  readonly boottime: number;
  readonly suspect: SuspectReason | null;
  /** Trusted time of the last cause for suspicion, or of its end; 0: there never was one. */
  readonly quietSince: EpochMs;
}

/** What the machine's clocks say at one moment. */
export interface ClockReading {
  readonly wall: EpochMs;
  readonly bootId: string;
  readonly boottime: number;
}

/** Trusted time, and whether the wall clock can be believed. */
export interface ClockJudgement {
  readonly trusted: EpochMs;
  readonly suspect: SuspectReason | null;
}

/**
 * Trusted time after a stop: the mark carried on by CLOCK_BOOTTIME when the machine was not restarted, else by the wall
 * clock, within reason. A suspicion outlives every restart: only an operator ends it.
 * @param mark null on a new appliance
 */
export function resume(
  mark: ClockMark | null,
  reading: ClockReading,
  maxDowntimeMs: number = MAX_DOWNTIME_MS,
): ClockJudgement {
  if (mark === null) return begin(reading.wall);
  const sameBoot = isSameBoot(mark, reading);
  const trusted = sameBoot
    ? mark.trusted + Math.floor(reading.boottime - mark.boottime)
    : afterReboot(mark, reading.wall, maxDowntimeMs);
  return { trusted, suspect: mark.suspect ?? reasonAtStart(trusted, reading.wall, sameBoot) };
}

/** Whether the wall clock contradicts trusted time while the appliance runs. */
export function judge(trusted: EpochMs, wall: EpochMs): SuspectReason | null {
  if (wall < trusted - TOLERANCE_MS) return 'wall-behind';
  return wall > trusted + TOLERANCE_MS ? 'wall-ahead' : null;
}

/**
 * Trusted time once an operator has said that the wall clock is right: the wall clock, unless it is a little behind,
 * since nothing is gained by going back.
 */
export function believe(trusted: EpochMs, wall: EpochMs): EpochMs {
  return judge(trusted, wall) === 'wall-behind' ? wall : Math.max(trusted, wall);
}

function begin(wall: EpochMs): ClockJudgement {
  return wall < EARLIEST ? { trusted: EARLIEST, suspect: 'wall-behind' } : { trusted: wall, suspect: null };
}

function isSameBoot(mark: ClockMark, reading: ClockReading): boolean {
  return mark.bootId !== '' && mark.bootId === reading.bootId && reading.boottime >= mark.boottime;
}

/** While suspect the wall clock counts for nothing: the mark stands still over a reboot. */
function afterReboot(mark: ClockMark, wall: EpochMs, maxDowntimeMs: number): EpochMs {
  const believable = mark.suspect === null && wall <= mark.trusted + maxDowntimeMs;
  return believable ? Math.max(mark.trusted, wall) : mark.trusted;
}

function reasonAtStart(trusted: EpochMs, wall: EpochMs, sameBoot: boolean): SuspectReason | null {
  const reason = judge(trusted, wall);
  return reason === 'wall-ahead' && !sameBoot ? 'wall-ahead-at-start' : reason;
}
