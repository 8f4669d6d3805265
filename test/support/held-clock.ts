import type { Clock, EpochMs } from '../../src/lib/clock.ts';

/** Where a held clock starts: 1 June 2026, 12:00 UTC. */
export const NOON: EpochMs = Date.UTC(2026, 5, 1, 12);

/** A clock that moves only when told to; both its hands go together unless one of them is stepped. */
export class HeldClock implements Clock {
  #wall: EpochMs;
  #monotonic = 0;

  constructor(wall: EpochMs = NOON) {
    this.#wall = wall;
  }

  wall(): EpochMs {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  /** Time passes. */
  advance(ms: number): void {
    this.#wall += ms;
    this.#monotonic += ms;
  }

  /** Somebody sets the wall clock. */
  setWall(wall: EpochMs): void {
    this.#wall = wall;
  }
}
