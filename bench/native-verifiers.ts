import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import type { SignatureVerifiers } from '../src/verify/index.ts';

/** Ed25519 by the runtime, as docs/verify.md shows it to applications: the key is made for each signature. */
export function documentedVerifiers(): SignatureVerifiers {
  return { ed25519: (publicKey, message, signature) => verify(null, message, keyOf(publicKey), signature) };
}

/** The same with keys that are made once: for whoever verifies thousands. */
export function nativeVerifiers(): SignatureVerifiers {
  const known = new Map<string, KeyObject>();
  return {
    ed25519: (publicKey, message, signature) => {
      const name = Buffer.from(publicKey).toString('hex');
      const key = known.get(name) ?? keyOf(publicKey);
      known.set(name, key);
      return verify(null, message, key, signature);
    },
  };
}

function keyOf(publicKey: Uint8Array): KeyObject {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') };
  return createPublicKey({ key: jwk, format: 'jwk' });
}
