import { createCipheriv, createDecipheriv } from 'node:crypto';
import { Fault } from '../faults.ts';
import { invariant } from '../lib/invariant.ts';

/** Length of every symmetric key here. */
export const KEY_BYTES = 32;
/** A wrapped 32-byte key: 8 bytes of integrity check longer (RFC 3394 §2.2.1). */
export const WRAPPED_BYTES = KEY_BYTES + 8;

/** The default initial value, which is also what integrity is checked by (RFC 3394 §2.2.3.1). */
const INITIAL_VALUE = Buffer.alloc(8, 0xa6);

/** Wraps a 32-byte key under a 32-byte key: `id-aes256-wrap` (RFC 3394). Deterministic; 40 bytes. */
export function wrapKey(wrappingKey: Buffer, key: Buffer): Buffer {
  invariant(wrappingKey.length === KEY_BYTES && key.length === KEY_BYTES, 'keys at rest have 32 bytes');
  const cipher = createCipheriv('id-aes256-wrap', wrappingKey, INITIAL_VALUE);
  return Buffer.concat([cipher.update(key), cipher.final()]);
}

/**
 * Unwraps what {@link wrapKey} made.
 * @throws Fault KEY_STORAGE when it is damaged, was wrapped under another key, or has another length.
 */
export function unwrapKey(wrappingKey: Buffer, wrapped: Buffer): Buffer {
  if (wrapped.length !== WRAPPED_BYTES) throw unreadable();
  try {
    // eslint-disable-next-line no-restricted-syntax -- a wrap mode has no tag: its integrity check is in the ciphertext
    const cipher = createDecipheriv('id-aes256-wrap', wrappingKey, INITIAL_VALUE);
    return Buffer.concat([cipher.update(wrapped), cipher.final()]);
  } catch (cause) {
    throw unreadable(cause);
  }
}

function unreadable(cause?: unknown): Fault {
  return new Fault(
    'KEY_STORAGE',
    'a wrapped key is damaged or was wrapped under another key; restore it from a backup',
    { cause },
  );
}
