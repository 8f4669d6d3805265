import { Fault } from '../faults.ts';
import type { LimitClass } from './route.ts';

/** Requests worked on at a time; connections are fewer, but each may send several without waiting. */
const CONCURRENT_LIMIT = 1024;
/** Weight of the newest sample: a stall is not an overload, a second of them is. */
const SMOOTHING = 0.1;
const RETRY_AFTER_MS = 1000;

/**
 * What is turned away first: how many times the limit of the event-loop delay, and which share of running requests and
 * waiting writes, a class still gets through. Health is answered to the last: whoever watches must see us live.
 */
const SHED_AT: Readonly<Record<LimitClass, { readonly delay: number; readonly share: number }>> = {
  management: { delay: 1, share: 0.75 },
  public: { delay: 1, share: 0.75 },
  activate: { delay: 2, share: 0.85 },
  validate: { delay: 2, share: 0.85 },
  heartbeat: { delay: 4, share: 0.95 },
  health: { delay: Number.POSITIVE_INFINITY, share: 1 },
};

/** What judging the load needs. */
export interface OverloadGiven {
  /** Event-loop delay, in milliseconds, above which management is turned away. */
  readonly delayLimitMs: number;
  /** Writes that wait for their commit, as a share of the most there may be. */
  readonly waiting: () => number;
}

/**
 * How much this process has to do. When it is more than it can finish, what can wait is turned away before what cannot:
 * management before validation, validation before heartbeats.
 */
export class Overload {
  readonly #given: OverloadGiven;
  #running = 0;
  #delayMs = 0;

  constructor(given: OverloadGiven) {
    this.#given = given;
  }

  /** Requests being worked on. */
  get running(): number {
    return this.#running;
  }

  /** Smoothed event-loop delay, milliseconds. */
  get delayMs(): number {
    return this.#delayMs;
  }

  /** Takes in how much later than due a timer came. */
  sample(delayMs: number): void {
    this.#delayMs += SMOOTHING * (Math.max(0, delayMs) - this.#delayMs);
  }

  /** Counts a request in. @throws Fault OVERLOADED when no more fit in; nothing was counted then */
  begin(): void {
    if (this.#running >= CONCURRENT_LIMIT) throw tooMuch();
    this.#running++;
  }

  /** Counts a request out. */
  end(): void {
    this.#running--;
  }

  /** Why a request of a class is turned away now; undefined: it is not. */
  refusal(name: LimitClass): Fault | undefined {
    const { delay, share } = SHED_AT[name];
    const late = this.#delayMs >= delay * this.#given.delayLimitMs;
    const full = this.#running > share * CONCURRENT_LIMIT || this.#given.waiting() > share;
    return late || full ? tooMuch() : undefined;
  }
}

function tooMuch(): Fault {
  return new Fault('OVERLOADED', 'more is being asked than can be answered in time', {
    retryAfterMs: RETRY_AFTER_MS,
  });
}
