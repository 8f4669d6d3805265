import { openingSlots, slotOfShare } from '../custody/index.ts';
import type { Clock } from '../lib/clock.ts';
import { MINUTE } from '../lib/clock.ts';
import { Secret } from '../lib/secret.ts';

/** How far a set of shares is. */
export interface SharesGiven {
  readonly given: number;
  readonly needed: number;
}

/** People who unseal together come within this time. */
const KEPT_MS = 10 * MINUTE;

/**
 * Shares that were given and do not yet open anything, of the slot they came for first. Each is looked at by itself: a wrong one is named
 * and costs no other. Ten minutes after the first the set is dropped.
 */
export class ShareSet {
  readonly #clock: Clock;
  readonly #directory: string;
  readonly #shares = new Map<number, Secret>();
  #slot: string | undefined;
  #needed = 0;
  #until = 0;

  constructor(directory: string, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
  }

  /** Undefined: none is kept. */
  get progress(): SharesGiven | undefined {
    this.#dropOld();
    return this.#shares.size === 0 ? undefined : { given: this.#shares.size, needed: this.#needed };
  }

  /**
   * Takes shares in.
   * @returns every share that is there once they are enough, and forgets them; undefined while more are needed
   * @throws Fault SLOT_SECRET_WRONG naming the share; those before it are kept
   */
  add(texts: readonly string[]): readonly string[] | undefined {
    this.#dropOld();
    for (const text of texts) {
      const { slot, share } = slotOfShare(openingSlots(this.#directory), new Secret(text));
      if (slot !== this.#slot) this.forget();
      if (this.#shares.size === 0) this.#until = this.#clock.monotonic() + KEPT_MS;
      this.#slot = slot;
      this.#needed = share.threshold;
      this.#shares.set(share.index, new Secret(text));
    }
    if (this.#shares.size < this.#needed) return undefined;
    const all = [...this.#shares.values()].map((share) => share.expose());
    this.forget();
    return all;
  }

  /** Drops what is there. */
  forget(): void {
    this.#shares.clear();
    this.#slot = undefined;
  }

  #dropOld(): void {
    if (this.#clock.monotonic() >= this.#until) this.forget();
  }
}
