import { hash } from 'node:crypto';
import type { EpochMs } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Principal } from '../principal.ts';
import type { ApiKey } from './api-key.ts';

/** Keys that are remembered: more than are in use at a time, and a few MiB of memory. */
const KEPT = 4096;
const SALT_BYTES = 32;

/** A key whose secret was proven. What it may do now is asked each time: expiry, addresses, tenant. */
export interface ProvenKey {
  readonly realm: RealmId;
  readonly key: ApiKey;
  readonly who: Principal;
  /** Until when this secret is good: it is the one before the last rotation. Null: it is the present one. */
  readonly secretUntil: EpochMs | null;
}

/**
 * Keys that were proven, by a keyed digest of their text: whoever shows one again is spared the look-up and the digests of
 * the proof. Only whole, proven texts come in, so that nobody can push out what others use by guessing; no text is kept. Who
 * changes a key calls `forget` after the commit: what was revoked is gone before its revocation is answered.
 */
export class ProvenKeys {
  readonly #salt: string;
  /** In order of use, the longest unused first. */
  readonly #byDigest = new Map<string, ProvenKey>();
  /** The digests of each key: its present secret and the one before. */
  readonly #ofKey = new Map<string, readonly string[]>();

  constructor(random: Random) {
    this.#salt = random.bytes(SALT_BYTES).toString('hex');
  }

  /** How many are remembered. */
  get size(): number {
    return this.#byDigest.size;
  }

  /** What was proven of this very text. Found by its digest: the time it takes says nothing of any secret. */
  find(text: string): ProvenKey | undefined {
    const digest = this.#digest(text);
    const found = this.#byDigest.get(digest);
    if (found === undefined) return undefined;
    this.#byDigest.delete(digest);
    this.#byDigest.set(digest, found);
    return found;
  }

  /** Remembers a text whose secret was proven. */
  keep(text: string, proven: ProvenKey): void {
    const digest = this.#digest(text);
    const { id } = proven.key;
    const others = (this.#ofKey.get(id) ?? []).filter((other) => other !== digest);
    this.#byDigest.set(digest, proven);
    this.#ofKey.set(id, [...others, digest]);
    const [oldest] = this.#byDigest;
    if (this.#byDigest.size > KEPT && oldest !== undefined) this.#drop(oldest);
  }

  /** Forgets all that was proven of a key. To be called after the commit that changed it. */
  forget(id: string): void {
    for (const digest of this.#ofKey.get(id) ?? []) this.#byDigest.delete(digest);
    this.#ofKey.delete(id);
  }

  #drop([digest, { key }]: readonly [string, ProvenKey]): void {
    this.#byDigest.delete(digest);
    const others = (this.#ofKey.get(key.id) ?? []).filter((other) => other !== digest);
    if (others.length === 0) this.#ofKey.delete(key.id);
    else this.#ofKey.set(key.id, others);
  }

  #digest(text: string): string {
    return hash('sha256', this.#salt + text, 'base64url');
  }
}
