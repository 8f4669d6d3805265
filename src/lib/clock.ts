/** Milliseconds since the Unix epoch, UTC. */
export type EpochMs = number;

/** Where time comes from. Passed in everywhere, so that a test can hold, step and break it. */
export interface Clock {
  /** Wall-clock time; may jump in either direction, isolated machines have no NTP. */
  wall(): EpochMs;
  /** Milliseconds that only grow while this process runs; origin without meaning. */
  monotonic(): number;
}

/** The machine's own clocks. */
export const systemClock: Clock = {
  wall: () => Date.now(),
  monotonic: () => performance.now(),
};

/** A time as the API, events and files write it: ISO 8601, UTC, milliseconds (`2026-01-31T09:30:00.000Z`). */
export function isoTime(at: EpochMs): string {
  return new Date(at).toISOString();
}

/** Lengths of time in milliseconds. */
export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
