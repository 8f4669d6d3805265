import { invariant } from '../lib/invariant.ts';
import type { KeyAlgorithm, KeyHandle, KeyPurpose } from './custodian.ts';
import { JOSE_ALGORITHMS, jwkOf, type KeyJwk, kidOf } from './key-id.ts';
import { type MessageRule, messageRule } from './signed-messages.ts';

const KEY_TYPES: Readonly<Record<KeyJwk['kty'], KeyAlgorithm>> = { OKP: 'ed25519', EC: 'ecdsa-p256' };

/**
 * The handle of a key, which nobody can change.
 * @param reference how its custodian finds it again; its kid when it is left out
 * @throws Fault KEY_STORAGE when the public key is none that we sign with
 */
export function keyHandle(purpose: KeyPurpose, publicKey: Buffer, reference?: string): KeyHandle {
  const jwk = jwkOf(publicKey);
  const kid = kidOf(jwk);
  const algorithm = KEY_TYPES[jwk.kty];
  return Object.freeze({ kid, purpose, algorithm, reference: reference ?? kid, publicKey });
}

/**
 * The handles that a custodian gave, each with what its key may sign. A handle of another custodian and one that was made
 * up are not among them.
 */
export class GivenHandles {
  readonly #rules = new WeakMap<KeyHandle, MessageRule>();

  /** Takes note of a handle and gives it back. */
  give(handle: KeyHandle): KeyHandle {
    const { kid, purpose, algorithm } = handle;
    this.#rules.set(handle, messageRule({ kid, purpose, jose: JOSE_ALGORITHMS[algorithm] }));
    return handle;
  }

  /** @throws InvariantViolation when the handle was not given here */
  own(handle: KeyHandle): KeyHandle {
    invariant(this.#rules.has(handle), 'a handle is used with the custodian that gave it');
    return handle;
  }

  /** @throws InvariantViolation when the handle was not given here, or its key must not sign this message */
  demand(handle: KeyHandle, message: Buffer): void {
    const rule = this.#rules.get(this.own(handle));
    invariant(rule?.(message), `a ${handle.purpose} key never signs a message of this form`);
  }
}
