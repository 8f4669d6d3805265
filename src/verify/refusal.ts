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

/** What every answer says of itself. */
export interface Reason {
  readonly code: VerdictCode;
  /** For a log, in English. */
  readonly message: string;
}

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

/** Refuses as MALFORMED unless `condition` holds: by far the commonest reason, named once in the built file. */
export function demandForm(condition: boolean, message: string): asserts condition {
  demand(condition, 'MALFORMED', message);
}

/** Runs one acceptance and turns a refusal into `blank` with its reason; anything else is a mistake and passes. */
export function answering<T, B extends object>(blank: B, attempt: () => T): T | (B & Reason) {
  try {
    return attempt();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const { code, message } = error;
    return { ...blank, code, message };
  }
}
