import { createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { Fault } from '../faults.ts';
import { invariant } from '../lib/invariant.ts';
import type { Random } from '../lib/random.ts';
import { Secret } from '../lib/secret.ts';
import type { KekSecret } from './custodian.ts';
import { KEY_BYTES, unwrapKey, wrapKey } from './key-wrap.ts';

/**
 * The key-encryption key of an appliance, in memory while it is unsealed. It never encrypts itself: each use has a key
 * of its own, derived with HKDF-SHA-256 (RFC 5869, empty salt) under the name of what it protects, so that nothing
 * wrapped for one place can be moved to another.
 */
export class Kek {
  readonly #secret: KekSecret;
  #wiped = false;

  /** Takes `secret` over; it is wiped with the Kek. */
  constructor(secret: KekSecret) {
    invariant(secret.expose().length === KEY_BYTES, 'a key-encryption key has 32 bytes');
    this.#secret = secret;
  }

  /** A new key-encryption key. */
  static generate(random: Random): Kek {
    return new Kek(new Secret(random.bytes(KEY_BYTES)));
  }

  /** Wraps a 32-byte key under the name of the place it is kept at; 40 bytes. @throws Fault SEALED */
  wrap(place: string, key: Buffer): Buffer {
    return this.#with(place, (derived) => wrapKey(derived, key));
  }

  /** Unwraps a key from the place it was wrapped for. @throws Fault KEY_STORAGE, SEALED */
  unwrap(place: string, wrapped: Buffer): Buffer {
    return this.#with(place, (derived) => unwrapKey(derived, wrapped));
  }

  /** The key that seals what is kept at `place`. @throws Fault SEALED */
  sealingKey(place: string): KeyObject {
    return this.#with(place, (derived) => createSecretKey(derived));
  }

  /** Wraps the key-encryption key itself, for a slot. @throws Fault SEALED */
  wrapSelf(slotKey: Buffer): Buffer {
    return wrapKey(slotKey, this.#expose());
  }

  /** Overwrites the key; every later use is refused. */
  wipe(): void {
    this.#secret.wipe();
    this.#wiped = true;
  }

  #with<T>(place: string, use: (derived: Buffer) => T): T {
    const derived = Buffer.from(hkdfSync('sha256', this.#expose(), '', `mintmark/1/kek/${place}`, KEY_BYTES));
    try {
      return use(derived);
    } finally {
      derived.fill(0);
    }
  }

  #expose(): Buffer {
    if (this.#wiped) throw sealed();
    return this.#secret.expose();
  }
}

/** What everything answers that needs a key while none is in memory. */
export function sealed(): Fault {
  return new Fault('SEALED', 'the appliance is sealed: no key is in memory; unseal it on the appliance');
}
