import { sha256 } from '@noble/hashes/sha2.js';
import { decodeBase64url, encodeBase64url } from './base64.ts';
import { Refusal, demandForm } from './refusal.ts';
import { stringAt } from './shape.ts';
import { isSoundEd25519Key, type PublicKey } from './signature.ts';
import type { JsonObject } from './strict-json.ts';
import { utf8Bytes } from './text.ts';

const KID_CHARACTERS = 16;
const COORDINATE_BYTES = 32;

/** SubjectPublicKeyInfo headers (RFC 8410 §4; RFC 5480 §2), which the raw key follows. */
const SPKI_HEADERS = {
  EdDSA: '302a300506032b6570032100',
  ES256: '3059301306072a8648ce3d020106082a8648ce3d030107034200',
} as const;

/** The `alg` each kind of key signs with, and the coordinates its thumbprint is made of. */
const KINDS = {
  'OKP/Ed25519': { algorithm: 'EdDSA', coordinates: ['x'] },
  'EC/P-256': { algorithm: 'ES256', coordinates: ['x', 'y'] },
} as const;

const isKind = (kind: string): kind is keyof typeof KINDS => Object.hasOwn(KINDS, kind);

/**
 * A public key from a JWK (RFC 7517, RFC 8037). Its `kid` is always computed (first 16 characters of the RFC 7638
 * thumbprint), never taken from the text.
 * @throws Refusal MALFORMED for a key of another kind, or one with a small-order or non-canonical point
 */
export function readJwk(jwk: JsonObject): PublicKey {
  const [kty, crv] = [stringAt(jwk, 'kty'), stringAt(jwk, 'crv')];
  const kind = `${kty}/${crv}`;
  demandForm(isKind(kind), 'a public key is of an unknown kind');
  const { algorithm, coordinates } = KINDS[kind];
  const members = coordinates.map((name) => [name, stringAt(jwk, name)] as const);
  const points = members.map(([, text]) => decodeBase64url(text));
  const bytes = algorithm === 'EdDSA' ? joined(points) : joined([Uint8Array.of(0x04), ...points]);
  demandForm(
    points.every(({ length }) => length === COORDINATE_BYTES),
    'a public key has the wrong length',
  );
  demandForm(algorithm !== 'EdDSA' || isSoundEd25519Key(bytes), 'a public key is not a sound point');
  const thumbprint = JSON.stringify({ crv, kty, ...Object.fromEntries(members) });
  const kid = encodeBase64url(sha256(utf8Bytes(thumbprint))).slice(0, KID_CHARACTERS);
  return { kid, algorithm, bytes };
}

/**
 * A public key from hexadecimal digits: 64 (Ed25519), or 130 that begin with 04 (P-256).
 * @throws Refusal MALFORMED
 */
export function readHexKey(hex: string): PublicKey {
  const bytes = fromHex(hex);
  if (bytes.length === COORDINATE_BYTES) {
    return readJwk({ kty: 'OKP', crv: 'Ed25519', x: encodeBase64url(bytes) });
  }
  demandForm(bytes.length === 65 && bytes[0] === 0x04, 'a public key has the wrong length');
  const [x, y] = [bytes.subarray(1, 33), bytes.subarray(33)];
  return readJwk({ kty: 'EC', crv: 'P-256', x: encodeBase64url(x), y: encodeBase64url(y) });
}

/** SHA-256 of the SubjectPublicKeyInfo, 64 lower-case hexadecimal digits: what applications pin. */
export function keyFingerprint(key: PublicKey): string {
  return toHex(sha256(joined([fromHex(SPKI_HEADERS[key.algorithm]), key.bytes])));
}

/** A fingerprint as people write it (upper case, colons, spaces), brought to one form. */
export function normalFingerprint(text: string): string {
  return text.replace(/[\s:]/g, '').toLowerCase();
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

function fromHex(hex: string): Uint8Array {
  if (!/^(?:[0-9a-fA-F]{2})+$/.test(hex)) throw new Refusal('MALFORMED', 'a public key is not hexadecimal');
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
