import { createECDH, createHash, createPrivateKey, sign, type KeyObject } from 'node:crypto';
import { keyIdOf, type PublicJwk } from '../../src/issuing/jwk.ts';
import type { SigningKeyRef } from '../../src/issuing/signature-algorithm.ts';

/** A signing key for vectors and tests. Its secret is the SHA-256 of its label: published, and worth nothing. */
export interface Signer {
  readonly label: string;
  readonly seedHex: string;
  readonly ref: SigningKeyRef;
  readonly jwk: PublicJwk;
  /** Raw 64 bytes over the message. Ed25519 gives the same bytes every time, P-256 does not. */
  sign(message: Uint8Array): Buffer;
}

const seedOf = (label: string): Buffer =>
  createHash('sha256').update(`mintmark test key: ${label}`, 'utf8').digest();

/** PKCS#8 of an Ed25519 key up to its seed (RFC 8410 §7). */
const ED25519_PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

/** The Ed25519 key of that label. */
export function ed25519Signer(label: string): Signer {
  const seed = seedOf(label);
  const der = Buffer.concat([ED25519_PKCS8, seed]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: coordinate(key, 'x') } as const;
  return {
    label,
    seedHex: seed.toString('hex'),
    jwk,
    ref: { kid: keyIdOf(jwk), algorithm: 'EdDSA' },
    sign: (message) => sign(null, message, key),
  };
}

/** The P-256 key of that label. */
export function es256Signer(label: string): Signer {
  const seed = seedOf(label);
  const curve = createECDH('prime256v1');
  curve.setPrivateKey(seed);
  const point = curve.getPublicKey();
  const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((bytes) => bytes.toString('base64url'));
  const jwk = { kty: 'EC', crv: 'P-256', x: x ?? '', y: y ?? '' } as const;
  const key = createPrivateKey({ key: { ...jwk, d: seed.toString('base64url') }, format: 'jwk' });
  return {
    label,
    seedHex: seed.toString('hex'),
    jwk,
    ref: { kid: keyIdOf(jwk), algorithm: 'ES256' },
    sign: (message) => sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' }),
  };
}

function coordinate(key: KeyObject, name: 'x' | 'y'): string {
  const value = key.export({ format: 'jwk' })[name];
  if (value === undefined) throw new Error(`the key has no ${name}`);
  return value;
}

/** The 32 bytes of an Ed25519 public key, or the 65 of a P-256 point, in hexadecimal digits. */
export function publicKeyHex(signer: Signer): string {
  const { jwk } = signer;
  const parts = jwk.kty === 'OKP' ? [jwk.x] : [jwk.x, jwk.y];
  const bytes = parts.map((part) => Buffer.from(part, 'base64url').toString('hex'));
  return (jwk.kty === 'OKP' ? '' : '04') + bytes.join('');
}
