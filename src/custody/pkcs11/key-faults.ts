import { Fault } from '../../faults.ts';
import type { KeyHandle } from '../custodian.ts';
import { AgentLost } from './agent-process.ts';
import { type ErrorClass, TokenError } from './cryptoki.ts';

/** Classes of errors that no waiting mends. */
const REFUSALS: ReadonlySet<ErrorClass> = new Set<ErrorClass>(['caller', 'policy']);
/** Classes of errors that say of a key that it is not the one that was stored. */
const KEY_IS_ANOTHER: ReadonlySet<ErrorClass> = new Set<ErrorClass>(['absent', 'wrong']);
const RETRY_AFTER_MS = 5000;

/** No second token has a copy of a key. */
export function notCopied(kid: string, why: string, cause?: Error): Fault {
  return new Fault('KEY_NOT_COPIED', `signing key ${kid}: ${why}`, { cause });
}

/** The token will not sign with a key, today or tomorrow. */
export function refused({ kid }: KeyHandle, cause: Error): Fault {
  return new Fault('SIGNER_REFUSED', `the token refuses to sign with key ${kid}`, { cause });
}

/** The token does not sign with a key now. */
export function away({ kid }: KeyHandle, cause?: Error): Fault {
  const message = `the token does not sign with key ${kid} at present`;
  return new Fault('SIGNER_UNAVAILABLE', message, { cause, retryAfterMs: RETRY_AFTER_MS });
}

/** Whether an error says something about one key, not about the token. */
export function isOfKey(error: unknown): error is TokenError {
  return error instanceof TokenError && (error.of === 'policy' || KEY_IS_ANOTHER.has(error.of));
}

/** Whether a token has refused for good. */
export function isRefusal(error: unknown): error is TokenError {
  return error instanceof TokenError && REFUSALS.has(error.of);
}

/** For whoever runs the appliance: what the token said, in words. @throws Fault SIGNER_UNAVAILABLE, SIGNER_REFUSED, KEY_STORAGE */
export async function explained<T>(body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (error) {
    if (!(error instanceof TokenError || error instanceof AgentLost)) throw error;
    const { message } = error;
    if (error instanceof AgentLost) throw new Fault('SIGNER_UNAVAILABLE', message, { cause: error });
    if (KEY_IS_ANOTHER.has(error.of)) throw new Fault('KEY_STORAGE', message, { cause: error });
    const code = REFUSALS.has(error.of) ? 'SIGNER_REFUSED' : 'SIGNER_UNAVAILABLE';
    throw new Fault(code, message, { cause: error });
  }
}
