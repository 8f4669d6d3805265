import { hash } from 'node:crypto';
import type { Indexer } from '../custody/sealer.ts';
import type { Random } from '../lib/random.ts';
import type { UnitOfWork } from '../storage/unit-of-work.ts';
import { findLicenseRealms, type FoundLicense } from './license-directory-store.ts';

/** Keys that are remembered: those of a large site, and some MiB of memory. */
const KEPT = 20_000;
const SALT_BYTES = 32;

/** What finding licences by their key needs. */
export interface LicenseKeysDeps {
  readonly work: Pick<UnitOfWork, 'read' | 'writesTo'>;
  readonly indexer: Pick<Indexer, 'candidates'>;
  readonly random: Random;
  /** Every form under which a typed key may be stored; licensing's `licenseKeyForms`. */
  readonly forms: (typed: string) => readonly string[];
}

/** Where a typed licence key leads. */
export interface KnownLicenseKey {
  /** One licence per realm that has the key, in order of the realms; empty: nowhere. */
  readonly places: readonly FoundLicense[];
  /** The sealed key of a licence that was opened and found to be this key: who proves it again may compare the two sealed ones. */
  proven: Buffer | null;
}

/**
 * Finds licences by typed keys. Keys that lead somewhere are remembered, by a keyed digest of what was typed, until the
 * directory of keys changes: who shows one again is spared the look-up. Texts are not kept, and nobody can push out what
 * others use by guessing. Not to be asked inside a unit of work: what it has not committed is not to be remembered.
 */
export class LicenseKeys {
  readonly #deps: LicenseKeysDeps;
  readonly #salt: string;
  /** In order of use, the longest unused first. */
  readonly #byDigest = new Map<string, KnownLicenseKey>();
  #writes = 0;

  constructor(deps: LicenseKeysDeps) {
    this.#deps = deps;
    this.#salt = deps.random.bytes(SALT_BYTES).toString('hex');
  }

  /** How many are remembered. */
  get size(): number {
    return this.#byDigest.size;
  }

  /** Where this text leads, under any of the forms it may be stored in and any live index key. */
  find(typed: string): KnownLicenseKey {
    this.#forgetWhenChanged();
    const digest = hash('sha256', this.#salt + typed, 'base64url');
    const known = this.#byDigest.get(digest) ?? { places: this.#places(typed), proven: null };
    if (known.places.length > 0) this.#keep(digest, known);
    return known;
  }

  #places(typed: string): readonly FoundLicense[] {
    const { work, indexer, forms } = this.#deps;
    return findLicenseRealms(work.read, indexer, forms(typed));
  }

  #keep(digest: string, known: KnownLicenseKey): void {
    this.#byDigest.delete(digest);
    this.#byDigest.set(digest, known);
    if (this.#byDigest.size <= KEPT) return;
    const [oldest] = this.#byDigest.keys();
    if (oldest !== undefined) this.#byDigest.delete(oldest);
  }

  #forgetWhenChanged(): void {
    const writes = this.#deps.work.writesTo('license_directory');
    if (writes === this.#writes) return;
    this.#writes = writes;
    this.#byDigest.clear();
  }
}
