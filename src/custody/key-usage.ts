import { Fault } from '../faults.ts';
import { invariant } from '../lib/invariant.ts';

/**
 * How often a data key may be used. Random nonces repeat with probability 2^-32 after 2^32 uses (NIST SP 800-38D §8.3);
 * the limits leave room below that.
 */
export interface UsageLimits {
  /** Uses reserved with one commit. */
  readonly block: number;
  /** From here on the key is reported. */
  readonly warnAt: number;
  /** From here on the realm is given a new key. */
  readonly rotateAt: number;
  /** Never more uses than this. */
  readonly refuseAt: number;
}

/** The limits of every appliance; tests lower them. */
export const USAGE_LIMITS: UsageLimits = {
  block: 2 ** 16,
  warnAt: 2 ** 28,
  rotateAt: 2 ** 31,
  refuseAt: 2 ** 32,
};

/** How close a key is to its end. */
export type UsageState = 'fine' | 'warn' | 'rotate' | 'exhausted';

/**
 * The uses of one data key. Uses are given out of blocks that are on disk before the first of them is given, so that
 * after any crash the stored number is at least the number of uses there were.
 */
export class KeyUsage {
  readonly #limits: UsageLimits;
  #reserved: number;
  #left: number;
  /** A block is on its way. */
  reserving = false;
  /** Why the last block could not be had; told to whoever finds nothing left. */
  failure: unknown;

  /** @param reserved uses spoken for on disk; `left` of them were not given yet */
  constructor(limits: UsageLimits, { reserved, left }: { readonly reserved: number; readonly left: number }) {
    invariant(left <= reserved, 'no more uses are given than are spoken for');
    this.#limits = limits;
    this.#reserved = reserved;
    this.#left = left;
  }

  /** Uses spoken for on disk. */
  get reserved(): number {
    return this.#reserved;
  }

  /** Uses that can be given without another block. */
  get left(): number {
    return this.#left;
  }

  get state(): UsageState {
    const { warnAt, rotateAt, refuseAt } = this.#limits;
    if (this.#reserved >= refuseAt) return 'exhausted';
    if (this.#reserved >= rotateAt) return 'rotate';
    return this.#reserved >= warnAt ? 'warn' : 'fine';
  }

  /** Half a block ahead: more than one turn of the event loop can use up while the next block is written. */
  get isLow(): boolean {
    return this.#left < this.#limits.block / 2;
  }

  /**
   * Gives one use.
   * @throws Fault DATA_KEY_EXHAUSTED when the key has been used as often as it may be
   * @throws Fault OVERLOADED when no further block could be reserved yet (the disk is full)
   */
  take(): void {
    if (this.#left > 0) {
      this.#left--;
      return;
    }
    if (this.#reserved >= this.#limits.refuseAt) throw exhausted();
    throw new Fault('OVERLOADED', 'no further uses of a data key could be reserved; try again shortly', {
      cause: this.failure,
      retryAfterMs: 1000,
    });
  }

  /** What the stored number becomes with one more block; unchanged at the last limit. */
  next(stored: number): number {
    invariant(stored === this.#reserved, 'one process owns the uses of a data key');
    return Math.min(stored + this.#limits.block, this.#limits.refuseAt);
  }

  /** The commit that raised the stored number has returned. */
  granted(reserved: number): void {
    this.#left += reserved - this.#reserved;
    this.#reserved = reserved;
  }

  /** Takes back what was not given: the number to store at an orderly stop. Nothing is given afterwards. */
  giveBack(): number {
    this.#reserved -= this.#left;
    this.#left = 0;
    return this.#reserved;
  }
}

function exhausted(): Fault {
  return new Fault(
    'DATA_KEY_EXHAUSTED',
    'a data key has sealed as many values as it safely can and is not used for another',
  );
}
