import { createHash } from 'node:crypto';

/** A public key as JSON (RFC 7517): Ed25519 (RFC 8037) or P-256 (RFC 7518 §6.2). */
export type PublicJwk =
  | { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string }
  | { readonly kty: 'EC'; readonly crv: 'P-256'; readonly x: string; readonly y: string };

const KID_CHARACTERS = 16;

/** The `kid` of a key: the first 16 characters of its base64url SHA-256 JWK thumbprint (RFC 7638). */
export function keyIdOf(jwk: PublicJwk): string {
  return createHash('sha256')
    .update(thumbprintInput(jwk), 'utf8')
    .digest('base64url')
    .slice(0, KID_CHARACTERS);
}

/** Required members only, in lexicographic order, without white space (RFC 7638 §3.2). */
function thumbprintInput(jwk: PublicJwk): string {
  return jwk.kty === 'OKP'
    ? JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x })
    : JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y });
}
