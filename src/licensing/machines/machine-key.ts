import { createHash, createPublicKey, verify } from 'node:crypto';
import { Point } from '@noble/ed25519';
import { Fault } from '../../faults.ts';

const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** SubjectPublicKeyInfo of an Ed25519 key, up to the key itself (RFC 8410 §4). */
const SPKI_HEADER = Buffer.from('302a300506032b6570032100', 'hex');

/** First line of what a new key signs to prove possession; nothing else begins so. */
const POSSESSION = 'mintmark-machine-key/1';
/** First line of what a machine signs to make a request its own. */
const REQUEST = 'mintmark-machine-request/1';

/** A request as its machine signs it. */
export interface RequestToSign {
  readonly method: string;
  /** Path as sent, without the query. */
  readonly path: string;
  /** SHA-256 of the body's bytes. */
  readonly bodyDigest: Buffer;
  /** From `GET /machines/{id}/challenge`. */
  readonly nonce: string;
}

/**
 * Reads the public key of a machine: base64url of the 32 bytes of RFC 8032 §5.1.5. Refuses what is no canonical point
 * of the prime-order group: under a small-order key anyone forges, and OpenSSL accepts it.
 * @throws Fault VALIDATION_FAILED
 */
export function readMachineKey(text: string): Buffer {
  const bytes = exactBase64url(text, KEY_BYTES);
  if (bytes === undefined || !isFullOrder(bytes)) {
    throw invalid('publicKey', 'publicKey is not an Ed25519 key: base64url of 32 bytes, a full-order point');
  }
  return bytes;
}

/**
 * States that who registers a key holds it: `proof` is base64url of its Ed25519 signature over {@link possessionMessage}.
 * @throws Fault VALIDATION_FAILED
 */
export function requirePossession(publicKey: Buffer, fingerprint: string, proof: string | null): void {
  if (proof !== null && isSignedBy(publicKey, possessionMessage(publicKey, fingerprint), proof)) return;
  const message =
    'proof must be a signature by publicKey over its possession message (first line mintmark-machine-key/1)';
  throw invalid('proof', message);
}

/**
 * What a machine signs to prove that it holds the key it registers, ASCII, lines ended by LF but the last:
 *
 *     mintmark-machine-key/1
 *     base64url(public key)
 *     base64url(SHA-256(fingerprint))
 */
export function possessionMessage(publicKey: Buffer, fingerprint: string): Buffer {
  const digest = createHash('sha256').update(fingerprint, 'utf8').digest('base64url');
  return Buffer.from([POSSESSION, publicKey.toString('base64url'), digest].join('\n'), 'ascii');
}

/**
 * What a machine signs to make a request its own, lines ended by LF but the last:
 *
 *     mintmark-machine-request/1
 *     METHOD
 *     path
 *     base64url(SHA-256(body))
 *     nonce
 */
export function requestMessage(request: RequestToSign): Buffer {
  const { method, path, bodyDigest, nonce } = request;
  return Buffer.from([REQUEST, method, path, bodyDigest.toString('base64url'), nonce].join('\n'), 'utf8');
}

/** Whether `signature` (base64url, 64 bytes) is a signature of the key over the message (RFC 8032 §5.1.7). */
export function isSignedBy(publicKey: Buffer, message: Buffer, signature: string): boolean {
  const raw = exactBase64url(signature, SIGNATURE_BYTES);
  if (raw === undefined) return false;
  const key = createPublicKey({ key: Buffer.concat([SPKI_HEADER, publicKey]), format: 'der', type: 'spki' });
  return verify(null, message, key, raw);
}

function isFullOrder(bytes: Buffer): boolean {
  try {
    const point = Point.fromBytes(bytes, false);
    return !point.isSmallOrder() && point.isTorsionFree();
  } catch {
    return false; // not a canonical encoding of a point
  }
}

/** The bytes of a base64url text in its one canonical form, when there are exactly `length`. */
function exactBase64url(text: string, length: number): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.length === length && bytes.toString('base64url') === text ? bytes : undefined;
}

function invalid(path: string, message: string): Fault {
  return new Fault('VALIDATION_FAILED', message, { errors: [{ path, code: 'MACHINE_KEY', message }] });
}
