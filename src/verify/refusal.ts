/**
 * Every answer this library gives, one per reason. `GRANT_INVALID` and `BINDING_NOT_SUPPORTED` stand for features that
 * other entry points complete; `UNSIGNED` and the three after it are of signed answers alone.
 */
export const VERDICT_CODES = [
  'VALID',
  'MALFORMED',
  'ALGORITHM_UNKNOWN',
  'KEY_UNKNOWN',
  'KEY_COMPROMISED',
  'ISSUER_MISMATCH',
  'PRODUCT_MISMATCH',
  'ENVIRONMENT_MISMATCH',
  'DEV_REFUSED',
  'SIGNATURE_INVALID',
  'LICENSE_KEY_REQUIRED',
  'DECRYPTION_FAILED',
  'FINGERPRINT_MISMATCH',
  'STATUS_BLOCKED',
  'NOT_YET_VALID',
  'EXPIRED',
  'EXPIRED_IN_GRACE',
  'REVOKED',
  'REVOKED_BY_EPOCH',
  'LIST_REQUIRED',
  'LIST_STALE',
  'LIST_FORK',
  'BUNDLE_STALE',
  'BUNDLE_FORK',
  'GRANT_INVALID',
  'BINDING_NOT_SUPPORTED',
  'CLOCK_ROLLED_BACK',
  'UNSIGNED',
  'DIGEST_MISMATCH',
  'NONCE_MISMATCH',
  'TAG_MISMATCH',
] as const;

/** One of {@link VERDICT_CODES}. */
export type VerdictCode = (typeof VERDICT_CODES)[number];

/** A reason to say no. Never leaves the library: the entry points turn it into a verdict. */
export class Refusal extends Error {
  readonly code: VerdictCode;

  /** @param message lower case, for a log: what was wrong with what */
  constructor(code: VerdictCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** Refuses with `code` unless `condition` holds. */
export function demand(condition: boolean, code: VerdictCode, message: string): asserts condition {
  if (!condition) throw new Refusal(code, message);
}

/** Runs one acceptance and turns a refusal into its answer; anything else is a mistake in the program and passes. */
export function answering<T>(attempt: () => T, refused: (refusal: Refusal) => T): T {
  try {
    return attempt();
  } catch (error) {
    if (error instanceof Refusal) return refused(error);
    throw error;
  }
}
