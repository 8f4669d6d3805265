import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';
import { SECOND } from '../../lib/clock.ts';

/** How often something was counted in its window, and when that ends. */
export interface Counted {
  readonly count: number;
  /** Milliseconds until the count begins anew. */
  readonly resetMs: number;
}

/**
 * Counts by name in windows of a fixed length; a window begins with the first request in it. Whoever asks compares the
 * count with his own limit: one counter serves callers of different tiers.
 */
export class WindowCounter {
  readonly #limiter: RateLimiterMemory;
  readonly #windowMs: number;

  /** @param windowMs whole seconds */
  constructor(windowMs: number) {
    this.#windowMs = windowMs;
    this.#limiter = new RateLimiterMemory({
      points: Number.MAX_SAFE_INTEGER,
      duration: windowMs / SECOND,
      keyPrefix: '',
    });
  }

  /** Counts one, or `points`. @param name one of a bounded number of names, and never a secret */
  async add(name: string, points = 1): Promise<Counted> {
    return this.#counted(await this.#limiter.consume(name, points));
  }

  /** What was counted so far. */
  async peek(name: string): Promise<Counted> {
    const found = await this.#limiter.get(name);
    return found === null ? { count: 0, resetMs: this.#windowMs } : this.#counted(found);
  }

  /** The wall clock may have been set back meanwhile: nobody waits longer than a window. */
  #counted({ consumedPoints, msBeforeNext }: RateLimiterRes): Counted {
    return { count: consumedPoints, resetMs: Math.min(Math.max(msBeforeNext, 0), this.#windowMs) };
  }
}
