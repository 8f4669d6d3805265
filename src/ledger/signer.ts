import { invariant } from '../lib/invariant.ts';
import { type NoteSigner, type VerifierKey, verifierKey } from './note.ts';

/** RFC 8410 §4: the fixed beginning of the SubjectPublicKeyInfo of an Ed25519 key; its 32 bytes follow. */
const ED25519_SPKI = Buffer.from('302a300506032b6570032100', 'hex');

/** The verifier key of a stored ledger key (SPKI, DER). @throws InvariantViolation when it is not Ed25519 */
export function ledgerVerifierKey(origin: string, spki: Buffer): VerifierKey {
  const prefix = spki.subarray(0, ED25519_SPKI.length);
  invariant(prefix.equals(ED25519_SPKI), 'a ledger key is an ed25519 key');
  return verifierKey(origin, spki.subarray(ED25519_SPKI.length));
}

/**
 * Signs checkpoints with a ledger key.
 * @param key its public key (SPKI, DER)
 * @param sign the keyring's signature with that key; its custodian sees that it signs nothing but checkpoints
 */
export function ledgerSigner(
  origin: string,
  key: { readonly publicKey: Buffer },
  sign: (message: Buffer) => Promise<Buffer>,
): NoteSigner {
  return { key: ledgerVerifierKey(origin, key.publicKey), sign };
}
