import { Point, hashes, verify } from '@noble/ed25519';
import { sha512 } from '@noble/hashes/sha2.js';
import { Refusal, demand } from './refusal.ts';

// The synchronous calls need a hash that does not come from crypto.subtle, which plain-HTTP pages do not have.
hashes.sha512 = sha512;

/**
 * Faster or further verifiers that the host lends us. Each returns whether the signature is good and may throw, which
 * counts as no.
 */
export interface SignatureVerifiers {
  /** Ed25519 as RFC 8032, e.g. by node:crypto. Key 32 bytes, signature 64. Ours is used when absent. */
  readonly ed25519?: SignatureVerifier;
  /** ECDSA P-256 with SHA-256. Key 65 bytes (`04 ‖ x ‖ y`), signature r ‖ s. Without it such keys are refused. */
  readonly es256?: SignatureVerifier;
}

/** Whether `signature` over `message` was made with `publicKey`. */
export type SignatureVerifier = (
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
) => boolean;

/** The algorithms by their JOSE names. */
export type SignatureAlgorithm = 'EdDSA' | 'ES256';

/** A public key ready to verify with. */
export interface PublicKey {
  readonly kid: string;
  readonly algorithm: SignatureAlgorithm;
  /** Ed25519: 32 bytes; P-256: `04 ‖ x ‖ y`. */
  readonly bytes: Uint8Array;
}

/** A message and its raw 64-byte signature. */
export interface SignedBytes {
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

const RAW_SIGNATURE_BYTES = 64;
const HALF = RAW_SIGNATURE_BYTES / 2;

/**
 * Checks one signature with the algorithm of the key, never with one the message names.
 * @throws Refusal ALGORITHM_UNKNOWN for P-256 without a verifier, SIGNATURE_INVALID
 */
export function checkSignature(key: PublicKey, signed: SignedBytes, verifiers: SignatureVerifiers): void {
  const check = verifierFor(key.algorithm, verifiers);
  const good = signed.signature.length === RAW_SIGNATURE_BYTES && succeeds(check, key, signed);
  demand(good, 'SIGNATURE_INVALID', 'the signature does not belong to this content and key');
}

function verifierFor(algorithm: SignatureAlgorithm, verifiers: SignatureVerifiers): SignatureVerifier {
  if (algorithm === 'EdDSA') return verifiers.ed25519 ?? nobleEd25519;
  if (verifiers.es256 !== undefined) return verifiers.es256;
  throw new Refusal('ALGORITHM_UNKNOWN', 'P-256 signatures need a verifier from the host');
}

function succeeds(check: SignatureVerifier, key: PublicKey, signed: SignedBytes): boolean {
  try {
    return check(key.bytes, signed.message, signed.signature);
  } catch {
    return false;
  }
}

/** RFC 8032 with canonical encodings; the looser ZIP 215 rules would accept several texts for one signature. */
function nobleEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  return verify(signature, message, publicKey, { zip215: false });
}

/** Whether bytes are a canonical Ed25519 point of full order; under a small-order key anyone forges. */
export function isSoundEd25519Key(bytes: Uint8Array): boolean {
  try {
    return !Point.fromBytes(bytes, false).isSmallOrder();
  } catch {
    return false;
  }
}

/**
 * r ‖ s from an ECDSA-Sig-Value in DER (RFC 3279 §2.2.3), strict: one signature has one text.
 * @throws Refusal SIGNATURE_INVALID
 */
export function rawFromDer(der: Uint8Array): Uint8Array {
  demand(der[0] === 0x30 && der[1] === der.length - 2, 'SIGNATURE_INVALID', 'the signature is not DER');
  const raw = new Uint8Array(RAW_SIGNATURE_BYTES);
  const middle = readInteger(der, 2, raw.subarray(0, HALF));
  const end = readInteger(der, middle, raw.subarray(HALF));
  demand(end === der.length, 'SIGNATURE_INVALID', 'the signature is not DER');
  return raw;
}

/** Copies one non-negative INTEGER, right-aligned, and returns where the next element begins. */
function readInteger(der: Uint8Array, at: number, into: Uint8Array): number {
  const length = der[at + 1] ?? 0;
  const digits = der.subarray(at + 2, at + 2 + length);
  const [first, second] = [digits[0] ?? 0xff, digits[1] ?? 0];
  const minimal = first < 0x80 && (first !== 0 || length === 1 || second >= 0x80);
  demand(
    der[at] === 0x02 && digits.length === length && minimal,
    'SIGNATURE_INVALID',
    'the signature is not DER',
  );
  const magnitude = first === 0 ? digits.subarray(1) : digits;
  demand(magnitude.length <= HALF, 'SIGNATURE_INVALID', 'the signature is not DER');
  into.set(magnitude, HALF - magnitude.length);
  return at + 2 + length;
}
