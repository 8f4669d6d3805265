import { createPublicKey, verify } from 'node:crypto';
import type { SignatureVerifiers } from '../verify/index.ts';

/** SubjectPublicKeyInfo of a P-256 point up to the point (RFC 5480 §2). */
const SPKI_HEAD = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex');

/**
 * What the verify library borrows from its host: ECDSA P-256, which it has no code of its own for. Ed25519 stays its own,
 * so that files are judged here as they are in a customer's program.
 */
export const NODE_VERIFIERS: SignatureVerifiers = {
  es256: (publicKey, message, signature) => {
    const key = createPublicKey({ key: Buffer.concat([SPKI_HEAD, publicKey]), format: 'der', type: 'spki' });
    return verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
  },
};
