import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../faults.ts';
import { MINUTE } from '../lib/clock.ts';
import { networkOf } from './network.ts';
import type { Allowance } from './rate-limits/quota.ts';
import { type Counted, WindowCounter } from './rate-limits/window-counter.ts';

/** Failures that one address may have in a minute (access.md, Rate limits). */
const FAILURES_PER_MINUTE = 60;
/** Beyond those, and up to as many again, an answer comes later and later; then not at all. */
const DELAY_MAX_MS = 500;
/** Answers held back at a time: each of them keeps a connection and a place among the running requests. */
const DELAYED_AT_ONCE = 64;
/**
 * What a guess counts that only a weak imported key could match: ten times as much, so that a weak key is looked for ten
 * times as slowly. Decided by the text alone, never by what is stored: the limit tells nothing about which keys exist.
 */
export const WEAK_GUESS_POINTS = 10;
/** Places that are counted: memory stays bounded however many addresses try, and two that share one share its count. */
const PLACES = 65_536;

/** What a test may choose. */
export interface FailureChoices {
  readonly failuresPerMinute?: number | undefined;
  readonly pause?: (ms: number) => Promise<unknown>;
}

/**
 * Counts failures (unknown credentials, unknown licence keys) by address: a minute's worth is free, as many again are
 * answered late, the rest is refused. Whoever succeeds is never asked: a valid key is not refused because of its
 * neighbours.
 */
export class FailureLimiter {
  readonly #failures = new WindowCounter(MINUTE);
  readonly #salt: number;
  readonly #limit: number;
  readonly #pause: (ms: number) => Promise<unknown>;
  #delayed = 0;

  /** @param salt random, so that nobody can find an address that shares a place with another's */
  constructor(salt: number, choices: FailureChoices = {}) {
    this.#salt = salt;
    this.#limit = choices.failuresPerMinute ?? FAILURES_PER_MINUTE;
    this.#pause = choices.pause ?? sleep;
  }

  /**
   * Counts one failure; resolves, later the more there were, to the fault to answer with when there were too many, undefined
   * until then.
   * @param points as how many it counts
   */
  async charge(address: string, points = 1): Promise<Fault | undefined> {
    const counted = await this.#failures.add(this.#place(address), points);
    const over = counted.count - this.#limit;
    if (over <= 0) return undefined;
    if (over > this.#limit || this.#delayed >= DELAYED_AT_ONCE) return tooMany(counted);
    this.#delayed++;
    try {
      await this.#pause(Math.ceil((DELAY_MAX_MS * over) / this.#limit));
    } finally {
      this.#delayed--;
    }
    return undefined;
  }

  /** What an address has left of its failures. */
  async left(address: string): Promise<Allowance> {
    const counted = await this.#failures.peek(this.#place(address));
    return { policy: 'failures', limit: this.#limit, windowMs: MINUTE, ...counted };
  }

  /** FNV-1a over the network, folded into the places. Spreads; hides nothing. */
  #place(address: string): string {
    let hash = this.#salt >>> 0;
    for (const character of networkOf(address)) {
      hash = Math.imul(hash ^ character.charCodeAt(0), 0x01000193) >>> 0;
    }
    return String(hash % PLACES);
  }
}

function tooMany({ resetMs }: Counted): Fault {
  return new Fault('RATE_LIMITED', 'too many failures from this address; check the credentials', {
    retryAfterMs: resetMs,
  });
}
