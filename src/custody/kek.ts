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
  /** The one before, while what it wraps is being wrapped anew. */
  readonly #older: Kek | null;
  #wiped = false;

  /** Takes `secret` and `older` over; both are wiped with the Kek. */
  constructor(secret: KekSecret, older: Kek | null = null) {
    invariant(secret.expose().length === KEY_BYTES, 'a key-encryption key has 32 bytes');
    this.#secret = secret;
    this.#older = older;
  }

  /** This key, which also opens what is still wrapped by `older`; what it wraps from here on only it opens. */
  replacing(older: Kek): Kek {
    return new Kek(this.#secret, older);
  }

  /** This key without the one before. */
  alone(): Kek {
    this.#older?.wipe();
    return new Kek(this.#secret);
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
    return this.#either((kek) => kek.#with(place, (derived) => unwrapKey(derived, wrapped)));
  }

  /** Whether a key is wrapped by this one, and not by the one before. @throws Fault SEALED */
  wraps(place: string, wrapped: Buffer): boolean {
    try {
      this.#with(place, (derived) => unwrapKey(derived, wrapped)).fill(0);
      return true;
    } catch (error) {
      if (error instanceof Fault && error.code === 'KEY_STORAGE') return false;
      throw error;
    }
  }

  /** The key that seals what is kept at `place`. @throws Fault SEALED */
  sealingKey(place: string): KeyObject {
    return this.#with(place, (derived) => createSecretKey(derived));
  }

  /** Opens something that is sealed at `place`, by this key or the one before. @throws what `open` throws; Fault SEALED */
  unseal<T>(place: string, open: (key: KeyObject) => T): T {
    return this.#either((kek) => open(kek.sealingKey(place)));
  }

  /** Wraps another key-encryption key. @throws Fault SEALED */
  wrapKek(place: string, other: Kek): Buffer {
    return this.wrap(place, other.#expose());
  }

  /** Undefined: it was wrapped by another key. @throws Fault SEALED */
  unwrapKek(place: string, wrapped: Buffer): Kek | undefined {
    return this.wraps(place, wrapped) ? new Kek(new Secret(this.unwrap(place, wrapped))) : undefined;
  }

  /** Wraps the key-encryption key itself, for a slot. @throws Fault SEALED */
  wrapSelf(slotKey: Buffer): Buffer {
    return wrapKey(slotKey, this.#expose());
  }

  /** Overwrites the key; every later use is refused. */
  wipe(): void {
    this.#secret.wipe();
    this.#older?.wipe();
    this.#wiped = true;
  }

  #either<T>(open: (kek: Kek) => T): T {
    try {
      return open(this);
    } catch (error) {
      const isOther = error instanceof Fault && error.code === 'KEY_STORAGE';
      if (this.#older === null || !isOther) throw error;
      return open(this.#older);
    }
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
