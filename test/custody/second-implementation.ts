import { hashes, verify } from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';

hashes.sha512 = sha512;

/** Length of the raw key at the end of an Ed25519 SubjectPublicKeyInfo (RFC 8410 §4). */
const RAW_KEY_BYTES = 32;

/** Verifies as RFC 8032 says, with canonical encodings only, by code that shares nothing with OpenSSL. */
export function ed25519Verify(spki: Buffer, message: Buffer, signature: Buffer): boolean {
  return verify(signature, message, spki.subarray(-RAW_KEY_BYTES), { zip215: false });
}
