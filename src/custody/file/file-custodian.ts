import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../faults.ts';
import { invariant } from '../../lib/invariant.ts';
import type { Random } from '../../lib/random.ts';
import {
  type CustodianHealth,
  DEFAULT_CUSTODIAN,
  type KeyAlgorithm,
  type KeyCustodian,
  type KeyHandle,
  type KeyPurpose,
  type KeySpec,
} from '../custodian.ts';
import { readSmallFile, writeDurably } from '../durable-file.ts';
import { type Kek, sealed } from '../kek.ts';
import { GivenHandles, keyHandle } from '../key-handle.ts';
import { proofChallenge } from '../signed-messages.ts';
import { openKeyFile, resealKeyFile, sealKeyFile } from './key-file.ts';
import { PrivateKeys } from './private-keys.ts';

/** Where the file custodian keeps its keys, and under what. */
export interface FileCustodianConfig {
  /** The data directory; keys are in `keys/` of it. */
  readonly directory: string;
  /** The key-encryption key; null while sealed. */
  readonly kek: () => Kek | null;
  readonly random: Random;
}

/** Stored with each of its keys. */
export const FILE_CUSTODIAN = DEFAULT_CUSTODIAN;

const KID = /^[A-Za-z0-9_-]{16}$/;

/**
 * Keys as sealed files, one each, signing in this process. A reference is the key's kid. After the appliance was sealed
 * and unsealed again, handles given before go on working: keys are read when they are first needed.
 */
export class FileCustodian implements KeyCustodian {
  readonly name = FILE_CUSTODIAN;
  readonly recovers = false;
  readonly inBackups = true;
  readonly tokenKeys = null;
  readonly #config: FileCustodianConfig;
  readonly #keys = new PrivateKeys();
  readonly #given = new GivenHandles();

  constructor(config: FileCustodianConfig) {
    this.#config = config;
  }

  algorithms(): Promise<readonly KeyAlgorithm[]> {
    return Promise.resolve(['ed25519', 'ecdsa-p256']);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- asynchronous for custodians that are not in this process
  async generate(spec: KeySpec): Promise<KeyHandle> {
    const kek = this.#openKek();
    const made: KeyHandle[] = [];
    this.#keys.generate(spec.algorithm, (pkcs8, spki) => {
      const handle = keyHandle(spec.purpose, spki);
      const bytes = sealKeyFile(handle, pkcs8, { kek, random: this.#config.random });
      writeDurably(this.#pathOf(handle.kid), bytes, { replace: false });
      made.push(handle);
      return handle.kid;
    });
    const [handle] = made;
    invariant(handle !== undefined, 'a key that was generated was kept');
    return this.#given.give(handle);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- asynchronous for custodians that are not in this process
  async find(stored: { reference: string; purpose: KeyPurpose; publicKey: Buffer }): Promise<KeyHandle> {
    const handle = keyHandle(stored.purpose, stored.publicKey);
    if (!KID.test(stored.reference) || handle.kid !== stored.reference) {
      throw new Fault('KEY_STORAGE', `the reference of key ${handle.kid} is not its own`);
    }
    this.#load(handle);
    return this.#given.give(handle);
  }

  async sign(handle: KeyHandle, message: Buffer): Promise<Buffer> {
    this.#given.demand(handle, message);
    if (!this.#keys.has(handle.reference)) this.#load(handle);
    return this.#keys.sign(handle.reference, message);
  }

  /** From the file as it is now: one that was lost while its key was in memory is found out before the next start. */
  async prove(handle: KeyHandle): Promise<void> {
    this.#load(this.#given.own(handle));
    await this.#keys.sign(handle.reference, proofChallenge(this.#config.random));
  }

  health(): CustodianHealth {
    return this.#config.kek() === null
      ? { state: 'unavailable', detail: 'sealed' }
      : { state: 'ready', detail: 'keys are in sealed files' };
  }

  /** Nothing can go away that was there when it was opened. */
  check(): Promise<void> {
    return Promise.resolve();
  }

  async reseal(step: () => Promise<void>): Promise<void> {
    const by = { kek: this.#openKek(), random: this.#config.random };
    for (const kid of this.#kidsOnDisk()) {
      const path = this.#pathOf(kid);
      const resealed = resealKeyFile(kid, readSmallFile(path) ?? Buffer.alloc(0), by);
      if (resealed !== undefined) writeDurably(path, resealed, { replace: true });
      await step();
    }
  }

  /** Drops every private key from memory. */
  lock(): void {
    this.#keys.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.lock();
    return Promise.resolve();
  }

  #load(handle: KeyHandle): void {
    const kek = this.#openKek();
    const bytes = readSmallFile(this.#pathOf(handle.reference));
    if (bytes === undefined) {
      throw new Fault('KEY_STORAGE', `key file ${handle.kid}.key is missing; restore it from a backup`);
    }
    const pkcs8 = openKeyFile(bytes, handle, kek);
    this.#keys.load(handle.kid, pkcs8, { algorithm: handle.algorithm, spki: handle.publicKey });
  }

  #openKek(): Kek {
    const kek = this.#config.kek();
    if (kek === null) throw sealed();
    return kek;
  }

  #kidsOnDisk(): string[] {
    const names = readdirSync(join(this.#config.directory, 'keys')).sort();
    return names
      .filter((name) => KID.test(name.slice(0, -'.key'.length)))
      .map((name) => name.slice(0, -'.key'.length));
  }

  #pathOf(kid: string): string {
    return join(this.#config.directory, 'keys', `${kid}.key`);
  }
}
