import { createSecretKey, type KeyObject } from 'node:crypto';
import { Fault } from '../faults.ts';
import { invariant, present } from '../lib/invariant.ts';
import type { Random } from '../lib/random.ts';
import type { Authority } from '../storage/journal.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import type { Reader, Synchronous, Tx } from '../storage/tx.ts';
import {
  deleteDataKey,
  insertDataKey,
  listDataKeys,
  listKeyUsage,
  readKeyUsage,
  writeKeyUsage,
} from './data-key-store.ts';
import { NONCE_BYTES } from './gcm.ts';
import { type Kek, sealed } from './kek.ts';
import { KEY_BYTES } from './key-wrap.ts';
import { KeyUsage, USAGE_LIMITS, type UsageLimits, type UsageState } from './key-usage.ts';
import type { Cell, Sealer } from './sealer.ts';
import { keyVersionOf, MAX_KEY_VERSION, openValue, sealValue, type VersionedKey } from './value-format.ts';

/** The part of the unit of work that data keys need: bookkeeping for uses, recorded units for rotation. */
export interface KeyWork {
  readonly read: Reader;
  run<T>(authority: Authority, unit: (tx: Tx) => Synchronous<T>): Promise<T>;
  keep<T>(job: string, unit: (tx: Tx) => Synchronous<T>): Promise<T>;
}

/** What data keys stand on. */
export interface DataKeysDeps {
  readonly random: Random;
  /** Lowered by tests. */
  readonly limits?: UsageLimits;
}

/** One data key as `status` and metrics show it. */
export interface DataKeyStatus {
  readonly realm: RealmId;
  readonly version: number;
  readonly reserved: number;
  readonly state: UsageState;
}

/** The data keys of one realm: the newest seals, all open. */
interface RealmKeys {
  readonly versions: Map<number, KeyObject>;
  current: VersionedKey;
  usage: KeyUsage;
}

const USAGE_JOB = 'data-key-usage';
const ROTATION_JOB = 'data-key-rotation';
const ROTATION: Authority = {
  actor: { kind: 'system', id: ROTATION_JOB, via: 'job' },
  requestId: ROTATION_JOB,
  realm: null,
};

/** The data keys of all realms, in memory while the appliance is unsealed: its {@link Sealer}. */
export class DataKeys implements Sealer {
  readonly #random: Random;
  readonly #limits: UsageLimits;
  readonly #realms = new Map<RealmId, RealmKeys>();
  /** Keys of realms whose unit has not committed: needed inside that unit, overwritten if it is thrown away. */
  readonly #unborn = new Map<RealmId, RealmKeys>();
  #kek: Kek | null = null;
  #work: KeyWork | null = null;

  constructor(deps: DataKeysDeps) {
    this.#random = deps.random;
    this.#limits = deps.limits ?? USAGE_LIMITS;
  }

  /** Unwraps every stored data key. Values can be opened; sealing begins with {@link start}. @throws Fault KEY_STORAGE */
  unlock(kek: Kek, reader: Reader): void {
    this.#kek = kek;
    const spoken = new Map(listKeyUsage(reader).map((row) => [usageName(row), row.reserved]));
    for (const row of listDataKeys(reader)) {
      const key = toKeyObject(kek.unwrap(dataKeyPlace(row), row.wrapped));
      const reserved = present(spoken.get(usageName(row)), 'the uses of every data key are counted');
      const known = this.#realms.get(row.realm) ?? { versions: new Map<number, KeyObject>() };
      known.versions.set(row.version, key);
      const current = { version: row.version, key };
      const usage = new KeyUsage(this.#limits, { reserved, left: 0 });
      this.#realms.set(row.realm, { versions: known.versions, current, usage });
    }
  }

  /** Lets keys be made before anything is stored: `init`. */
  begin(kek: Kek): void {
    this.#kek = kek;
  }

  /** Reserves a block of uses for every realm, and further ones as they are needed. @throws Fault DISK_FULL */
  async start(work: KeyWork): Promise<void> {
    this.#work = work;
    const waiting = [...this.#realms].filter(([, { usage }]) => usage.isLow);
    const granted = await work.keep(USAGE_JOB, (tx) =>
      waiting.map(([realm, { usage, current }]) => ({ usage, to: addBlock(tx, { realm, usage, current }) })),
    );
    for (const { usage, to } of granted) usage.granted(to);
  }

  /** Gives the unused rest of every block back, at an orderly stop. Nothing is sealed any more. */
  async stop(): Promise<void> {
    const work = this.#work;
    if (work === null) return;
    this.#work = null;
    await work.keep(USAGE_JOB, (tx) => {
      for (const [realm, { usage, current }] of this.#realms) {
        // With a block on its way nothing is given back: that costs numbers, never a repeated use.
        if (!usage.reserving)
          writeKeyUsage(tx, { realm, version: current.version, reserved: usage.giveBack() });
      }
    });
  }

  /** Drops every key from memory; until {@link unlock} everything is refused with Fault SEALED. */
  lock(): void {
    this.#kek = null;
    this.#work = null;
    this.#realms.clear();
    this.#unborn.clear();
  }

  /**
   * Makes the first data key of a realm inside the unit that makes the realm; values can be sealed for it at once.
   * @throws Fault SEALED
   */
  create(tx: Tx, realm: RealmId): void {
    invariant(!this.#realms.has(realm), 'a realm is given its first data key once');
    const made = this.#make(tx, realm, 1);
    const keys = { versions: new Map([[1, made.current.key]]), ...made };
    this.#unborn.set(realm, keys);
    tx.afterCommit(() => {
      this.#unborn.delete(realm);
      this.#realms.set(realm, keys);
    });
  }

  /**
   * Gives a realm a new data key inside a unit of the caller, who records it; from its commit on the new key seals,
   * and the old ones still open. @throws Fault SEALED
   */
  rotate(tx: Tx, realm: RealmId): { readonly version: number } {
    const keys = this.#keysOf(realm);
    const version = keys.current.version + 1;
    invariant(version <= MAX_KEY_VERSION, 'a realm has fewer data keys than a version can count');
    const made = this.#make(tx, realm, version);
    tx.afterCommit(() => {
      keys.versions.set(version, made.current.key);
      keys.current = made.current;
      keys.usage = made.usage;
    });
    return { version };
  }

  /**
   * Ends a data key that seals nothing any more, inside a unit of the caller, who records it. What is still sealed under it
   * cannot be opened by anybody from the commit on.
   */
  destroy(tx: Tx, realm: RealmId, version: number): void {
    const keys = this.#keysOf(realm);
    invariant(version !== keys.current.version, 'the data key that seals is not destroyed');
    deleteDataKey(tx, { realm, version });
    tx.afterCommit(() => {
      keys.versions.delete(version);
    });
  }

  /** Drops the keys of a realm whose rows are deleted in this unit. */
  forget(tx: Tx, realm: RealmId): void {
    tx.afterCommit(() => this.#realms.delete(realm));
  }

  /** Realms with values under older keys than the one that seals now, and which those are. */
  outdated(): { readonly realm: RealmId; readonly version: number; readonly older: readonly number[] }[] {
    return [...this.#realms].flatMap(
      ([
        realm,
        {
          versions,
          current: { version },
        },
      ]) => {
        const older = [...versions.keys()].filter((one) => one !== version);
        return older.length === 0 ? [] : [{ realm, version, older }];
      },
    );
  }

  seal(cell: Cell, plaintext: Buffer): Buffer {
    const keys = this.#keysOf(cell.realm);
    if (keys.usage.isLow) this.#reserveSoon(cell.realm, keys);
    keys.usage.take();
    return sealValue(keys.current, { cell, nonce: this.#random.bytes(NONCE_BYTES) }, plaintext);
  }

  open(cell: Cell, sealedValue: Buffer): Buffer {
    const keys = this.#keysOf(cell.realm);
    const version = keyVersionOf(sealedValue);
    const key = keys.versions.get(version);
    if (key === undefined) {
      throw new Fault(
        'KEY_STORAGE',
        `a stored value names data key ${version}, which its realm does not have`,
      );
    }
    return openValue({ version, key }, cell, sealedValue);
  }

  /** Every realm's newest data key, and how much of its life is spent. */
  status(): DataKeyStatus[] {
    return [...this.#realms].map(([realm, { current, usage }]) => {
      return { realm, version: current.version, reserved: usage.reserved, state: usage.state };
    });
  }

  #keysOf(realm: RealmId): RealmKeys {
    const keys = this.#realms.get(realm) ?? this.#unborn.get(realm);
    if (keys !== undefined) return keys;
    if (this.#kek === null) throw sealed();
    throw new Fault('KEY_STORAGE', 'the data key of this realm is not there; restore it from a backup');
  }

  #make(tx: Tx, realm: RealmId, version: number): { current: VersionedKey; usage: KeyUsage } {
    if (this.#kek === null) throw sealed();
    const key = this.#random.bytes(KEY_BYTES);
    const wrapped = this.#kek.wrap(dataKeyPlace({ realm, version }), key);
    const reserved = this.#limits.block;
    insertDataKey(tx, { realm, version, wrapped }, reserved);
    const usage = new KeyUsage(this.#limits, { reserved, left: reserved });
    return { current: { version, key: toKeyObject(key) }, usage };
  }

  #reserveSoon(realm: RealmId, { usage, current }: RealmKeys): void {
    const work = this.#work;
    if (work === null || usage.reserving) return;
    usage.reserving = true;
    const reserve = async (): Promise<void> => {
      usage.granted(await work.keep(USAGE_JOB, (tx) => addBlock(tx, { realm, usage, current })));
      usage.failure = undefined;
      if (usage.state !== 'fine' && usage.state !== 'warn') await this.#rotateAlone(work, realm, current);
    };
    // A failure is told to whoever finds nothing left; until then nobody is harmed, and the next use tries again.
    reserve()
      .catch((error: unknown) => {
        usage.failure = error;
      })
      .finally(() => {
        usage.reserving = false;
      });
  }

  /** A unit of its own, in the name of the job: the key has been used as often as one should be. */
  async #rotateAlone(work: KeyWork, realm: RealmId, worn: VersionedKey): Promise<void> {
    await work.run(ROTATION, (tx) => {
      if (this.#keysOf(realm).current.version !== worn.version) return;
      const { version } = this.rotate(tx, realm);
      const target = { kind: 'data_key', id: String(version) };
      const before = { version: worn.version };
      tx.record({ realm, action: 'data_key.rotated', target, outcome: 'done', before, after: { version } });
    });
  }
}

/** Where a data key is kept, as its wrapping knows it. */
export function dataKeyPlace({ realm, version }: { realm: RealmId; version: number }): string {
  return `data-key/${realm}/${version}`;
}

function usageName({ realm, version }: { realm: RealmId; version: number }): string {
  return `${realm}/${version}`;
}

/** Keeps the key where JavaScript cannot read it by accident, and wipes the bytes it came in. */
function toKeyObject(key: Buffer): KeyObject {
  const made = createSecretKey(key);
  key.fill(0);
  return made;
}

function addBlock(tx: Tx, of: { realm: RealmId; usage: KeyUsage; current: VersionedKey }): number {
  const { version } = of.current;
  const stored = present(readKeyUsage(tx, of.realm, version), 'the uses of every data key are counted');
  const reserved = of.usage.next(stored);
  writeKeyUsage(tx, { realm: of.realm, version, reserved });
  return reserved;
}
