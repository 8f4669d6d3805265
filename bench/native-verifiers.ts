import { createPublicKey, type KeyObject, verify } from 'node:crypto';
import type { SignatureVerifiers } from '../src/verify/index.ts';

/** What stands before an Ed25519 key in its SPKI (RFC 8410 §4). */
const SPKI_PREFIX = '302a300506032b6570032100';

/** Ed25519 by the runtime, as docs/verify.md shows it to applications: a key is made once, not for each signature. */
export function nativeVerifiers(): SignatureVerifiers {
  const known = new Map<string, KeyObject>();
  const keyOf = (bytes: Uint8Array): KeyObject => {
    const spki = SPKI_PREFIX + Buffer.from(bytes).toString('hex');
    const key =
      known.get(spki) ?? createPublicKey({ key: Buffer.from(spki, 'hex'), format: 'der', type: 'spki' });
    known.set(spki, key);
    return key;
  };
  return { ed25519: (publicKey, message, signature) => verify(null, message, keyOf(publicKey), signature) };
}
