import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';
import { Fault } from '../faults.ts';
import { invariant } from '../lib/invariant.ts';

/** Length of a nonce: the one size for which AES-GCM needs no extra hashing (NIST SP 800-38D §8.2.2). */
export const NONCE_BYTES = 12;
/** Length of a tag. Passed on every call: without it Node accepts a tag cut down to 4 bytes. */
export const TAG_BYTES = 16;

/** What is authenticated but not encrypted, and the nonce, which must never repeat under one key. */
export interface GcmParameters {
  readonly nonce: Buffer;
  readonly aad: Buffer;
}

/** Encrypts with AES-256-GCM (NIST SP 800-38D): ciphertext ‖ tag(16). */
export function gcmEncrypt(key: KeyObject, { nonce, aad }: GcmParameters, plaintext: Buffer): Buffer {
  invariant(nonce.length === NONCE_BYTES, 'a nonce of AES-GCM has 12 bytes');
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(aad);
  const ciphertext = cipher.update(plaintext);
  cipher.final();
  return Buffer.concat([ciphertext, cipher.getAuthTag()]);
}

/**
 * Decrypts what {@link gcmEncrypt} made.
 * @throws Fault KEY_STORAGE when a bit of it, its nonce or its associated data is not what was encrypted.
 */
export function gcmDecrypt(key: KeyObject, { nonce, aad }: GcmParameters, sealed: Buffer): Buffer {
  if (nonce.length !== NONCE_BYTES || sealed.length < TAG_BYTES) throw damaged();
  const end = sealed.length - TAG_BYTES;
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(end));
  const plaintext = decipher.update(sealed.subarray(0, end));
  try {
    decipher.final();
  } catch (cause) {
    plaintext.fill(0);
    throw damaged(cause);
  }
  return plaintext;
}

function damaged(cause?: unknown): Fault {
  return new Fault(
    'KEY_STORAGE',
    'a sealed value is damaged or does not belong where it was found; restore it from a backup',
    { cause },
  );
}
