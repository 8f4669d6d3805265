import { sha256 } from '@noble/hashes/sha2.js';
import { encodeBase64url } from './base64.ts';

/**
 * What a verifier remembers between runs. Plain JSON: the host stores what a call returns where the user does not edit
 * it, and gives it to the next call. Without it a clock set back and an old list put back go unnoticed.
 */
export interface VerifierState {
  /** Milliseconds since the epoch: the newest time ever seen. */
  readonly newestTimeMs: number;
  /** The newest trust bundle ever accepted. */
  readonly bundle: SeenMessage | null;
  /** The newest revocation list ever accepted. */
  readonly list: SeenMessage | null;
}

/** A counted message by number and content. */
export interface SeenMessage {
  readonly number: number;
  readonly payloadDigest: string;
}

/** The state of an installation that has seen nothing. */
export const EMPTY_STATE: VerifierState = { newestTimeMs: 0, bundle: null, list: null };

const DIGEST_BYTES = 16;

/** A message as the state remembers it. */
export function seenMessage(number: number, payload: Uint8Array): SeenMessage {
  return { number, payloadDigest: encodeBase64url(sha256(payload).subarray(0, DIGEST_BYTES)) };
}

/** The newer of what the state remembers and what the host still holds. */
export function newestSeen(a: SeenMessage | null, b: SeenMessage | undefined): SeenMessage | null {
  if (a === null || b === undefined) return a ?? b ?? null;
  return b.number > a.number ? b : a;
}

/** How a message stands to the newest one seen: newer (or the same again), older, or a second one with its number. */
export function compareToSeen(message: SeenMessage, seen: SeenMessage | null): 'new' | 'old' | 'fork' {
  if (seen === null || message.number > seen.number) return 'new';
  if (message.number < seen.number) return 'old';
  return message.payloadDigest === seen.payloadDigest ? 'new' : 'fork';
}
