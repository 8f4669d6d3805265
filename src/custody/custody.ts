import { Fault } from '../faults.ts';
import type { EpochMs } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import type { Authority } from '../storage/journal.ts';
import { dropRealmKeys } from '../storage/erase-store.ts';
import type { Reader, Tx } from '../storage/tx.ts';
import { type BackupKey, makeBackupKey } from './backup-key.ts';
import { type CustodianHealth, DEFAULT_CUSTODIAN, type KeyCustodian, type KeyPurpose } from './custodian.ts';
import { DataKeys, type DataKeyStatus, type KeyWork } from './data-keys.ts';
import { IndexKeys } from './index-keys.ts';
import { type Kek, sealed } from './kek.ts';
import type { UsageLimits } from './key-usage.ts';
import { Keyring } from './keyring.ts';
import type { Pkcs11Given } from './pkcs11/pkcs11-custodian.ts';
import { type CustodianName, CUSTODIANS } from './registry.ts';
import {
  bothKeks,
  installSlots,
  noteRekeyDone,
  openingSlots,
  type PreparedRekey,
  prepareRekey,
  readRekey,
  type RekeyJournal,
  type RekeyPlan,
  removeRekey,
  rewrapKeys,
  wasRekeyDone,
  writeRekey,
} from './rekey.ts';
import type { Indexer, Sealer } from './sealer.ts';
import { SLOT_KINDS, type SlotKind, type SlotSecret } from './slots/slot-secret.ts';
import {
  demandRemovable,
  freeSlotName,
  listSlots,
  openFirst,
  prepareSlot,
  readSlotFiles,
  removeSlot,
  type SlotFile,
  type SlotInfo,
  testSlot,
  writeSlot,
} from './slots/slots.ts';

/** What custody stands on. */
export interface CustodyDeps {
  /** The data directory; `slots/` and `keys/` of it belong to custody. */
  readonly directory: string;
  readonly random: Random;
  /** Lowered by tests. */
  readonly limits?: UsageLimits;
  /** The token that holds keys, if there is one. */
  readonly pkcs11?: Pkcs11Given | undefined;
  /** What new keys are made in. */
  readonly makesIn?: CustodianName | undefined;
  /** Purposes whose keys are made in sealed files all the same. */
  readonly inFiles?: readonly KeyPurpose[] | undefined;
}

/** A slot to add. */
export interface SlotToAdd {
  readonly name: string;
  readonly secret: SlotSecret;
  readonly now: EpochMs;
}

/** The slot that let somebody in. */
export interface SlotUsed {
  readonly name: string;
  readonly kind: SlotKind;
  /** It is kept for the day on which nothing else opens: that it was used is recorded. */
  readonly recovers: boolean;
}

const NONE: readonly [] = [];

/**
 * Everything that needs a key of the appliance, and the one owner of its key-encryption key. Sealed at first: no key is
 * in memory and everything answers Fault SEALED, until a slot is opened.
 */
export class Custody implements AsyncDisposable {
  readonly #deps: CustodyDeps;
  readonly #dataKeys: DataKeys;
  readonly #indexKeys: IndexKeys;
  readonly #custodians: readonly KeyCustodian[];
  #kek: Kek | null = null;
  #openedWith: SlotUsed | null = null;

  constructor(deps: CustodyDeps) {
    this.#deps = deps;
    this.#dataKeys = new DataKeys(deps);
    this.#indexKeys = new IndexKeys(deps);
    const { directory, random, pkcs11 = null } = deps;
    const config = { directory, random, kek: () => this.#kek, pkcs11 };
    this.#custodians = Object.values(CUSTODIANS).flatMap((row) => row.open(config) ?? []);
  }

  get state(): 'sealed' | 'unsealed' {
    return this.#kek === null ? 'sealed' : 'unsealed';
  }

  /** The slot whose secret opened the keys; null while sealed, and while they were just made. */
  get openedWith(): SlotUsed | null {
    return this.#openedWith;
  }

  /** Seals and opens stored values. */
  get sealer(): Sealer {
    return this.#dataKeys;
  }

  /** Makes keyed digests. */
  get indexer(): Indexer {
    return this.#indexKeys;
  }

  /**
   * Opens a slot. What is in the database becomes usable with {@link loadRealmKeys}. Resolves to the slot's name.
   * @throws Fault SLOT_SECRET_WRONG, KEY_STORAGE
   */
  async unseal(secret: SlotSecret): Promise<string> {
    const { directory } = this.#deps;
    const rekey = readRekey(directory);
    const { slot, kek } = await openFirst(openingSlots(directory), secret);
    this.adopt(rekey === undefined ? kek : bothKeks(rekey, kek));
    const { kind } = secret;
    this.#openedWith = { name: slot, kind, recovers: SLOT_KINDS[kind].recovers };
    return slot;
  }

  /** Takes over a key-encryption key that was just made; only `initialiseCustody` has one. */
  adopt(kek: Kek): void {
    this.seal();
    this.#take(kek);
  }

  /** Unwraps the data and index keys of every realm. @throws Fault SEALED; KEY_STORAGE when one cannot be opened */
  loadRealmKeys(reader: Reader): void {
    const rekey = readRekey(this.#deps.directory);
    if (rekey !== undefined && wasRekeyDone(reader, rekey)) this.#take(this.#open().alone());
    const kek = this.#open();
    this.#dataKeys.unlock(kek, reader);
    this.#indexKeys.unlock(kek, reader);
  }

  /** Lets values be sealed: the uses of each data key are counted on disk from here on. @throws Fault DISK_FULL */
  startCounting(work: KeyWork): Promise<void> {
    return this.#dataKeys.start(work);
  }

  /** Gives uncounted uses back at an orderly stop, while the database still takes writes. Nothing is sealed any more. */
  stopCounting(): Promise<void> {
    return this.#dataKeys.stop();
  }

  /**
   * Makes the data key and the index key of a realm inside the unit that makes it; both can be used at once, for this
   * realm and inside this unit. The caller records it. The system realm gets its keys in the first unit of `init`.
   * @throws Fault SEALED
   */
  createRealmKeys(tx: Tx, realm: RealmId): void {
    this.#dataKeys.create(tx, realm);
    this.#indexKeys.create(tx, realm);
  }

  /** A new data key for a realm, inside a unit of the caller, who records it. Old values open as before. */
  rotateDataKey(tx: Tx, realm: RealmId): { readonly version: number } {
    return this.#dataKeys.rotate(tx, realm);
  }

  /** Realms with values under older data keys than the one that seals now. */
  outdatedDataKeys(): ReturnType<DataKeys['outdated']> {
    return this.#dataKeys.outdated();
  }

  /** Ends an older data key of a realm, inside a unit of the caller, who records it and knows that nothing is under it. */
  destroyDataKey(tx: Tx, realm: RealmId, version: number): void {
    this.#dataKeys.destroy(tx, realm, version);
  }

  /** Destroys the data and index keys of a realm, inside a unit of the caller, who records it. Nothing of it opens again. */
  destroyRealmKeys(tx: Tx, realm: RealmId): void {
    dropRealmKeys(tx, realm);
    this.#dataKeys.forget(tx, realm);
    this.#indexKeys.forget(tx, realm);
  }

  /** A new index key for a realm, inside a unit of the caller, who records it. Look-ups try every version. */
  rotateIndexKey(tx: Tx, realm: RealmId): { readonly version: number } {
    return this.#indexKeys.rotate(tx, realm);
  }

  /** How much of the life of each data key is spent. */
  dataKeyStatus(): DataKeyStatus[] {
    return this.#dataKeys.status();
  }

  /**
   * Reads the signing keys and finds them in their custodians.
   * @param withoutCopy whether keys in a token may sign without a copy elsewhere
   * @throws Fault SEALED, KEY_STORAGE
   */
  openKeyring(reader: Reader, withoutCopy = false): Promise<Keyring> {
    const { makesIn = DEFAULT_CUSTODIAN, inFiles } = this.#deps;
    return Keyring.open({ custodians: this.#custodians, makesIn, inFiles, withoutCopy }, reader);
  }

  /** Names of the custodians that cannot sign now, and since when not. Asked before most requests: no list when all can. */
  away(): readonly { readonly custodian: string; readonly since: EpochMs | undefined }[] {
    if (this.#custodians.every((custodian) => custodian.health().state !== 'unavailable')) return NONE;
    return this.health()
      .filter(({ health }) => health.state === 'unavailable')
      .map(({ custodian, health }) => ({ custodian, since: health.since }));
  }

  /** Whether each custodian can sign, by name. */
  health(): { readonly custodian: string; readonly health: CustodianHealth }[] {
    return this.#custodians.map((custodian) => ({ custodian: custodian.name, health: custodian.health() }));
  }

  /** Has each custodian look whether it still signs; the result is in {@link health}. */
  async check(): Promise<void> {
    for (const custodian of this.#custodians) await custodian.check();
  }

  /** Adds a slot; the caller records it. @throws Fault SEALED, CONFLICT, VALIDATION_FAILED, SLOT_SECRET_WRONG */
  async addSlot(slot: SlotToAdd): Promise<void> {
    this.writeSlot(await this.prepareSlot(slot));
  }

  /** The file of a new slot, for a caller who records it before it is written. @throws as {@link addSlot} */
  prepareSlot(slot: SlotToAdd): Promise<SlotFile> {
    return prepareSlot(this.#deps.directory, { ...slot, kek: this.#open() }, this.#deps.random);
  }

  /** Writes what {@link prepareSlot} made. @throws Fault KEY_STORAGE, DISK_FULL */
  writeSlot(file: SlotFile): void {
    writeSlot(this.#deps.directory, file);
  }

  /** The name that a new slot of a kind has when nobody chooses one. */
  freeSlotName(kind: SlotKind): string {
    return freeSlotName(this.#deps.directory, kind);
  }

  /** @throws Fault CONFLICT for the last slot that recovers; NOT_FOUND */
  demandRemovable(name: string): void {
    demandRemovable(this.#deps.directory, name);
  }

  /** Removes a slot; the caller records it. @throws Fault CONFLICT for the last one that recovers; NOT_FOUND */
  removeSlot(name: string): void {
    removeSlot(this.#deps.directory, name);
  }

  /** Proves that a secret opens a slot. @throws Fault SLOT_SECRET_WRONG, KEY_STORAGE, NOT_FOUND */
  testSlot(name: string, secret: SlotSecret): Promise<void> {
    return testSlot(this.#deps.directory, name, secret);
  }

  /** Every slot; works sealed too. */
  listSlots(): SlotInfo[] {
    return listSlots(this.#deps.directory);
  }

  /** The key and header of a new backup, which every slot of today opens. @throws Fault SEALED, KEY_STORAGE */
  newBackupKey(): BackupKey {
    if (this.rekeying)
      throw new Fault('CONFLICT', 'the key-encryption key is being replaced; finish `mintmark rekey`');
    return makeBackupKey(this.#open(), readSlotFiles(this.#deps.directory), this.#deps.random);
  }

  /** The key-encryption key is being replaced: begun, and not yet done everywhere. */
  get rekeying(): boolean {
    return readRekey(this.#deps.directory) !== undefined;
  }

  /**
   * Makes a new key-encryption key and every slot that is to open it, in memory.
   * @throws Fault VALIDATION_FAILED, CONFLICT, NOT_FOUND; SLOT_SECRET_WRONG, KEY_STORAGE naming the slot
   */
  prepareRekey(plan: RekeyPlan): Promise<PreparedRekey> {
    const { directory, random } = this.#deps;
    return prepareRekey({ directory, random, kek: this.#open() }, plan);
  }

  /**
   * From here on the new key wraps, and both open. Durable when this returns: whatever happens, the slots that there will be
   * lead to both, until {@link finishRekey} has done everything.
   */
  beginRekey({ journal, kek }: PreparedRekey): void {
    writeRekey(this.#deps.directory, journal);
    this.#take(kek);
  }

  /**
   * Exchanges the slots, seals the key files anew, wraps data and index keys anew, and forgets the old key. Each step can be done
   * again; after each `step` is called. The unit that wraps the keys is recorded as `kek.replaced`.
   * @throws Fault KEY_STORAGE, DISK_FULL, SEALED; what is left is done by the next call
   */
  async finishRekey(
    { work, authority }: { readonly work: KeyWork; readonly authority: Authority },
    step: () => Promise<void> = () => Promise.resolve(),
  ): Promise<void> {
    const { directory } = this.#deps;
    const rekey = readRekey(directory);
    if (rekey === undefined) return;
    if (!wasRekeyDone(work.read, rekey)) await this.#replaceEverywhere(rekey, { work, authority }, step);
    this.#take(this.#open().alone());
    removeRekey(directory);
    await step();
  }

  async #replaceEverywhere(
    rekey: RekeyJournal,
    { work, authority }: { readonly work: KeyWork; readonly authority: Authority },
    step: () => Promise<void>,
  ): Promise<void> {
    const { directory } = this.#deps;
    await installSlots(directory, rekey, step);
    for (const custodian of this.#custodians) await custodian.reseal?.(step);
    const kek = this.#open();
    await work.run(authority, (tx) => {
      const rewrapped = rewrapKeys(tx, kek);
      noteRekeyDone(tx, rekey);
      const target = { kind: 'kek', id: rekey.id };
      tx.record({ realm: null, action: 'kek.replaced', target, outcome: 'done', facts: { keys: rewrapped } });
    });
    await step();
  }

  /** Wipes the key-encryption key and drops every key made from it; everything answers Fault SEALED from here on. */
  seal(): void {
    this.#kek?.wipe();
    this.#kek = null;
    this.#openedWith = null;
    this.#dataKeys.lock();
    this.#indexKeys.lock();
    for (const custodian of this.#custodians) custodian.lock();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.seal();
    for (const custodian of this.#custodians) await custodian[Symbol.asyncDispose]();
  }

  #take(kek: Kek): void {
    this.#kek = kek;
    this.#dataKeys.begin(kek);
    this.#indexKeys.begin(kek);
  }

  #open(): Kek {
    if (this.#kek === null) throw sealed();
    return this.#kek;
  }
}
