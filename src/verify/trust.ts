import { demandGiven } from './call.ts';
import { readHexKey, readJwk } from './public-key.ts';
import { Refusal, demand } from './refusal.ts';
import type { PublicKey } from './signature.ts';
import type { JsonObject } from './strict-json.ts';

/** Which half of a tenant. */
export type Environment = 'live' | 'test';

/** Where a key stands in its life. */
export type KeyState = 'pending' | 'active' | 'retiring' | 'retired' | 'compromised';

/** A key and what it may sign. */
export interface TrustedKey extends PublicKey {
  readonly purpose: string;
  /** undefined = any. */
  readonly environment: Environment | undefined;
  /** Product codes; undefined = any. */
  readonly products: readonly string[] | undefined;
  readonly state: KeyState;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** The keys an application believes, from a trust bundle or compiled in. */
export interface Trust {
  /** false when the keys were compiled in: rotation and compromise then go unnoticed. */
  readonly rooted: boolean;
  readonly keys: readonly TrustedKey[];
  /** The tenant the keys belong to; undefined when compiled in. */
  readonly tenant: string | undefined;
  /** When the bundle was signed: a lower bound for the clock. */
  readonly issuedAtMs: number;
  /** After this the bundle should be replaced. */
  readonly nextUpdateMs: number;
}

/** What a compiled-in key may sign. */
export type PinnedPurpose = 'license' | 'revocation' | 'response';

/**
 * Trust in keys that are compiled into the application: 64 hexadecimal digits (Ed25519), 130 (P-256), or a JWK.
 * @param keys by purpose; `license` alone is enough, `revocation` is needed to read revocation lists, `response` for signed
 *   answers
 * @throws TypeError when a key cannot be used: that is a mistake in the application, not in a file
 */
export function pinPublicKeys(keys: {
  readonly license: readonly (string | JsonObject)[];
  readonly revocation?: readonly (string | JsonObject)[];
  readonly response?: readonly (string | JsonObject)[];
}): Trust {
  const purposes = ['license', 'revocation', 'response'] as const;
  return {
    rooted: false,
    keys: purposes.flatMap((purpose) =>
      listOf(keys[purpose] ?? [], purpose).map((key) => pinned(key, purpose)),
    ),
    tenant: undefined,
    issuedAtMs: 0,
    nextUpdateMs: Infinity,
  };
}

function listOf<T>(keys: readonly T[], purpose: PinnedPurpose): readonly T[] {
  demandGiven(Array.isArray(keys), purpose, 'a list of public keys');
  return keys;
}

function pinned(key: string | JsonObject, purpose: PinnedPurpose): TrustedKey {
  try {
    const publicKey = typeof key === 'string' ? readHexKey(key) : readJwk(key);
    return {
      ...publicKey,
      purpose,
      environment: undefined,
      products: undefined,
      state: 'active',
      notBeforeMs: -Infinity,
      notAfterMs: Infinity,
    };
  } catch (cause) {
    throw new TypeError('a pinned public key cannot be used', { cause });
  }
}

/** Demands that a key is not known to be in other hands. @throws Refusal KEY_COMPROMISED */
export function demandSound(isSound: boolean, kid: string): void {
  demand(isSound, 'KEY_COMPROMISED', `the key ${kid} is compromised`);
}

/** As {@link findKey}, where a compromised key counts for nothing. @throws Refusal also KEY_COMPROMISED */
export function findSoundKey(trust: Trust, question: KeyQuestion): TrustedKey {
  const key = findKey(trust, question);
  demandSound(key.state !== 'compromised', key.kid);
  return key;
}

/**
 * Demands that a key was in use for what it signed. One that the bundle only announces signs from its `notBefore` on: whoever holds
 * that bundle needs no newer one on the day. @throws Refusal KEY_UNKNOWN
 */
export function demandInUse(isInUse: boolean, kid: string): void {
  demand(isInUse, 'KEY_UNKNOWN', `the key ${kid} was not in use`);
}

/** What a message asks of the key that signed it. */
export interface KeyQuestion {
  readonly kid: string;
  readonly purpose: PinnedPurpose;
  readonly environment: Environment;
}

/**
 * The one key of that name that may have signed. A compromised key is returned: whether it may still count depends on
 * the file; and a pending one: that depends on the time of what it signed.
 * @throws Refusal KEY_UNKNOWN, ENVIRONMENT_MISMATCH
 */
export function findKey(trust: Trust, question: KeyQuestion): TrustedKey {
  const { kid, purpose, environment } = question;
  const [key, ...more] = trust.keys.filter(
    (candidate) => candidate.kid === kid && candidate.purpose === purpose,
  );
  if (key === undefined || more.length > 0)
    throw new Refusal('KEY_UNKNOWN', `no trusted ${purpose} key is called ${kid}`);
  const fits = key.environment === undefined || key.environment === environment;
  demand(fits, 'ENVIRONMENT_MISMATCH', `the key ${kid} does not serve the ${environment} environment`);
  return key;
}
