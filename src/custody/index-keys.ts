import { createHmac, createSecretKey, hkdfSync, type KeyObject } from 'node:crypto';
import { Fault } from '../faults.ts';
import { invariant, present } from '../lib/invariant.ts';
import type { Random } from '../lib/random.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import type { Reader, Tx } from '../storage/tx.ts';
import { insertIndexKey, listIndexKeys } from './data-key-store.ts';
import { type Kek, sealed } from './kek.ts';
import { KEY_BYTES } from './key-wrap.ts';
import type { Indexer, IndexName, KeyedDigest } from './sealer.ts';

/** One version of a realm's index key, with what was derived from it so far: one key per column. */
interface IndexKey {
  readonly version: number;
  readonly key: KeyObject;
  readonly derived: Map<string, KeyObject>;
}

/** Newest first. */
type Versions = readonly IndexKey[];

/** The index keys of all realms, in memory while the appliance is unsealed: its {@link Indexer}. */
export class IndexKeys implements Indexer {
  readonly #random: Random;
  readonly #realms = new Map<RealmId, Versions>();
  /** Keys of realms whose unit has not committed: needed inside that unit, overwritten if it is thrown away. */
  readonly #unborn = new Map<RealmId, Versions>();
  #kek: Kek | null = null;

  constructor(deps: { readonly random: Random }) {
    this.#random = deps.random;
  }

  /** Unwraps every stored index key. @throws Fault KEY_STORAGE */
  unlock(kek: Kek, reader: Reader): void {
    this.#kek = kek;
    for (const { realm, version, wrapped } of listIndexKeys(reader)) {
      const key = toIndexKey(version, kek.unwrap(indexKeyPlace({ realm, version }), wrapped));
      this.#realms.set(realm, [key, ...(this.#realms.get(realm) ?? [])]);
    }
  }

  /** Lets keys be made before anything is stored: `init`. */
  begin(kek: Kek): void {
    this.#kek = kek;
  }

  /** Drops every key from memory; until {@link unlock} everything is refused with Fault SEALED. */
  lock(): void {
    this.#kek = null;
    this.#realms.clear();
    this.#unborn.clear();
  }

  /**
   * Makes the first index key of a realm inside the unit that makes the realm; it can be used at once.
   * @throws Fault SEALED
   */
  create(tx: Tx, realm: RealmId): void {
    invariant(!this.#realms.has(realm), 'a realm is given its first index key once');
    const keys = [this.#make(tx, realm, 1)];
    this.#unborn.set(realm, keys);
    tx.afterCommit(() => {
      this.#unborn.delete(realm);
      this.#realms.set(realm, keys);
    });
  }

  /**
   * Gives a realm a new index key inside a unit of the caller, who records it: after a suspected leak. New digests use
   * it from the commit on; look-ups try every version. @throws Fault SEALED
   */
  rotate(tx: Tx, realm: RealmId): { readonly version: number } {
    const older = this.#versionsOf(realm);
    const made = this.#make(tx, realm, newest(older).version + 1);
    tx.afterCommit(() => {
      this.#realms.set(realm, [made, ...older]);
    });
    return { version: made.version };
  }

  /** Drops the keys of a realm whose rows are deleted in this unit. */
  forget(tx: Tx, realm: RealmId): void {
    tx.afterCommit(() => this.#realms.delete(realm));
  }

  digest(realm: RealmId, name: IndexName, value: string): KeyedDigest {
    return keyedDigest(newest(this.#versionsOf(realm)), nameOf(realm, name), value);
  }

  candidates(realm: RealmId, name: IndexName, value: string): readonly KeyedDigest[] {
    const info = nameOf(realm, name);
    return this.#versionsOf(realm).map((key) => keyedDigest(key, info, value));
  }

  #versionsOf(realm: RealmId): Versions {
    const versions = this.#realms.get(realm) ?? this.#unborn.get(realm);
    if (versions !== undefined) return versions;
    if (this.#kek === null) throw sealed();
    throw new Fault('KEY_STORAGE', 'the index key of this realm is not there; restore it from a backup');
  }

  #make(tx: Tx, realm: RealmId, version: number): IndexKey {
    if (this.#kek === null) throw sealed();
    const key = this.#random.bytes(KEY_BYTES);
    insertIndexKey(tx, { realm, version, wrapped: this.#kek.wrap(indexKeyPlace({ realm, version }), key) });
    return toIndexKey(version, key);
  }
}

/** Where an index key is kept, as its wrapping knows it. */
/** Where an index key is kept, as its wrapping knows it. */
export function indexKeyPlace({ realm, version }: { realm: RealmId; version: number }): string {
  return `index-key/${realm}/${version}`;
}

function toIndexKey(version: number, bytes: Buffer): IndexKey {
  const key = createSecretKey(bytes);
  bytes.fill(0);
  return { version, key, derived: new Map() };
}

function newest(versions: Versions): IndexKey {
  return present(versions[0], 'a realm has at least one index key');
}

/** The HKDF info of a column's key. Names are words of ours without slashes, so no two columns share one. */
function nameOf(realm: RealmId, { purpose, table, column }: IndexName): string {
  return `mintmark/1/${purpose}/${realm}/${table}/${column}`;
}

/** HMAC-SHA-256 under HKDF-SHA-256 (RFC 5869, empty salt) of the index key. */
function keyedDigest(of: IndexKey, info: string, value: string): KeyedDigest {
  const digest = createHmac('sha256', derivedKey(of, info)).update(value, 'utf8').digest();
  return { version: of.version, digest };
}

/** As many as there are indexed columns: a dozen a realm. */
function derivedKey({ key, derived }: IndexKey, info: string): KeyObject {
  const known = derived.get(info);
  if (known !== undefined) return known;
  const bytes = Buffer.from(hkdfSync('sha256', key, '', info, KEY_BYTES));
  const made = createSecretKey(bytes);
  bytes.fill(0);
  derived.set(info, made);
  return made;
}
