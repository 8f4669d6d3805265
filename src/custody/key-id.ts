import { createHash, createPublicKey } from 'node:crypto';
import { Fault } from '../faults.ts';
import type { KeyAlgorithm } from './custodian.ts';

/** A public key as JSON (RFC 7517): Ed25519 (RFC 8037 §2) or P-256 (RFC 7518 §6.2). */
export type KeyJwk =
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string }
  | { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string };

/** How a key signs, by its JOSE name (RFC 7518 §3.1, RFC 8037 §3.1). */
export type JoseAlgorithm = 'EdDSA' | 'ES256';

/** JOSE name of each key algorithm. */
export const JOSE_ALGORITHMS = {
  ed25519: 'EdDSA',
  'ecdsa-p256': 'ES256',
} as const satisfies Record<KeyAlgorithm, JoseAlgorithm>;

const KID_CHARACTERS = 16;

/**
 * The JWK of a SubjectPublicKeyInfo in DER.
 * @throws Fault KEY_STORAGE when it is no key of an algorithm we sign with
 */
export function jwkOf(spki: Buffer): KeyJwk {
  const { kty, crv, x, y } = exportJwk(spki);
  if (kty === 'OKP' && crv === 'Ed25519' && x !== undefined) return { kty, crv, x };
  if (kty === 'EC' && crv === 'P-256' && x !== undefined && y !== undefined) return { kty, crv, x, y };
  throw new Fault('KEY_STORAGE', 'a stored public key is neither ed25519 nor P-256');
}

/** The `kid` of a key: the first 16 characters of its base64url SHA-256 JWK thumbprint (RFC 7638 §3). */
export function kidOf(jwk: KeyJwk): string {
  // Required members only, in lexicographic order, without white space (RFC 7638 §3.2).
  const required =
    jwk.kty === 'OKP'
      ? { crv: jwk.crv, kty: jwk.kty, x: jwk.x }
      : { crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y };
  const thumbprint = createHash('sha256').update(JSON.stringify(required), 'utf8').digest('base64url');
  return thumbprint.slice(0, KID_CHARACTERS);
}

/** SHA-256 of a SubjectPublicKeyInfo (DER) in hexadecimal: what applications pin of a root (docs/formats/trust-bundle.md). */
export function spkiFingerprint(spki: Buffer): string {
  return createHash('sha256').update(spki).digest('hex');
}

function exportJwk(spki: Buffer): { kty?: string; crv?: string; x?: string; y?: string } {
  try {
    return createPublicKey({ key: spki, format: 'der', type: 'spki' }).export({ format: 'jwk' });
  } catch (cause) {
    throw new Fault('KEY_STORAGE', 'a stored public key cannot be read; restore it from a backup', { cause });
  }
}
