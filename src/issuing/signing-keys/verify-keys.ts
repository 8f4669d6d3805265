import type { Keyring, SigningKey } from '../../custody/index.ts';
import { Fault } from '../../faults.ts';

/** What became of the proof of one key. */
export interface KeyProof {
  readonly key: SigningKey;
  /** `proven`: a fresh signature verified with the published public key. `not-kept`: the private half is not here, and need not be. */
  readonly outcome: 'proven' | 'failed' | 'not-kept';
  /** Why not; null when proven. */
  readonly reason: string | null;
}

/**
 * Has every key prove that its private half fits its published public half, one after the other. A retired or compromised key need
 * not be there any more, and a standby root is kept elsewhere.
 */
export async function verifyKeys({ keyring }: { readonly keyring: Keyring }): Promise<KeyProof[]> {
  const proofs: KeyProof[] = [];
  for (const key of keyring.list()) proofs.push(await proofOf(keyring, key));
  return proofs;
}

async function proofOf(keyring: Keyring, key: SigningKey): Promise<KeyProof> {
  try {
    await keyring.prove(key.kid);
    return { key, outcome: 'proven', reason: null };
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    const away = error.code === 'KEY_STORAGE' && mayBeElsewhere(key);
    return { key, outcome: away ? 'not-kept' : 'failed', reason: error.message };
  }
}

function mayBeElsewhere({ purpose, state }: SigningKey): boolean {
  return state === 'retired' || state === 'compromised' || (purpose === 'root' && state === 'pending');
}
