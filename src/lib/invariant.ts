/** Thrown when something happened that the code holds to be impossible; never caught and continued. */
export class InvariantViolation extends Error {
  override readonly name = 'InvariantViolation';
}

/**
 * States what cannot be otherwise, before a write and after a read.
 * @throws InvariantViolation when `condition` is false; `why` says what would break if we went on.
 */
export function invariant(condition: unknown, why: string): asserts condition {
  if (!condition) throw new InvariantViolation(why);
}

/**
 * The value of something that cannot be absent here.
 * @throws InvariantViolation when it is `undefined` or `null` all the same.
 */
export function present<T>(value: T | undefined | null, why: string): T {
  invariant(value !== undefined && value !== null, why);
  return value;
}
