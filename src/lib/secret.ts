import { timingSafeEqual } from 'node:crypto';
import { inspect } from 'node:util';

const HIDDEN = '[secret]';

/**
 * A value that refuses to be printed, serialised or logged; `expose` is the one way out, easy to search for.
 */
export class Secret<T extends string | Buffer = string> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  /** The value itself, for the one call that needs it. Never keep it, never put it into a message. */
  expose(): T {
    return this.#value;
  }

  /** Overwrites a secret held in a buffer. A string cannot be wiped: the runtime owns it. */
  wipe(): void {
    if (typeof this.#value !== 'string') this.#value.fill(0);
  }

  toString(): string {
    return HIDDEN;
  }

  toJSON(): string {
    return HIDDEN;
  }

  [inspect.custom](): string {
    return HIDDEN;
  }
}

/** Compares two byte strings in time that depends on their lengths alone. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
