import { Fault } from '../faults.ts';
import type { Clock } from '../lib/clock.ts';

const FIRST_DELAY_MS = 1000;
const LONGEST_DELAY_MS = 300_000;

/**
 * Counts attempts to unseal that failed. After each of those over HTTP the next one over HTTP waits twice as long; the local
 * socket does not, or strangers could keep the administrator out. Nobody is kept waiting: who comes too early is told when.
 */
export class UnsealAttempts {
  readonly #clock: Clock;
  #failures = 0;
  #remoteFailures = 0;
  /** Monotonic time from which the next one over HTTP is tried. */
  #from = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Since the last one that opened. */
  get failures(): number {
    return this.#failures;
  }

  /** @throws Fault RATE_LIMITED before the next attempt over HTTP is due */
  demandTurn(): void {
    const retryAfterMs = this.#from - this.#clock.monotonic();
    if (retryAfterMs <= 0) return;
    throw new Fault('RATE_LIMITED', 'an attempt to unseal has just failed; the next one has to wait', {
      retryAfterMs,
    });
  }

  /** Makes one attempt; whatever is thrown is counted. */
  async count<T>(local: boolean, attempt: () => Promise<T>): Promise<T> {
    try {
      return await attempt();
    } catch (error) {
      this.#failures++;
      if (!local) this.#delay();
      throw error;
    }
  }

  /** Begins anew. */
  forget(): void {
    this.#failures = 0;
    this.#remoteFailures = 0;
    this.#from = 0;
  }

  #delay(): void {
    const delay = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#remoteFailures);
    this.#remoteFailures++;
    this.#from = this.#clock.monotonic() + delay;
  }
}
