import { join } from 'node:path';
import { Fault } from '../../faults.ts';
import { invariant } from '../../lib/invariant.ts';
import type { Random } from '../../lib/random.ts';
import type {
  CustodianHealth,
  KeyAlgorithm,
  KeyCustodian,
  KeyHandle,
  KeyPurpose,
  KeySpec,
} from '../custodian.ts';
import { readSmallFile, writeDurably } from '../durable-file.ts';
import { type Kek, sealed } from '../kek.ts';
import { JOSE_ALGORITHMS, jwkOf, type KeyJwk, kidOf } from '../key-id.ts';
import { type MessageRule, messageRule } from '../signed-messages.ts';
import { openKeyFile, sealKeyFile } from './key-file.ts';
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
export const FILE_CUSTODIAN = 'file';

const KEY_TYPES: Readonly<Record<KeyJwk['kty'], KeyAlgorithm>> = { OKP: 'ed25519', EC: 'ecdsa-p256' };
const KID = /^[A-Za-z0-9_-]{16}$/;

/**
 * Keys as sealed files, one each, signing in this process. A reference is the key's kid. After the appliance was sealed
 * and unsealed again, handles given before go on working: keys are read when they are first needed.
 */
export class FileCustodian implements KeyCustodian {
  readonly name = FILE_CUSTODIAN;
  readonly #config: FileCustodianConfig;
  readonly #keys = new PrivateKeys();
  readonly #rules = new WeakMap<KeyHandle, MessageRule>();

  constructor(config: FileCustodianConfig) {
    this.#config = config;
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- asynchronous for custodians that are not in this process
  async generate(spec: KeySpec): Promise<KeyHandle> {
    const kek = this.#openKek();
    const made: KeyHandle[] = [];
    this.#keys.generate(spec.algorithm, (pkcs8, spki) => {
      const handle = handleOf(spec.purpose, spki);
      const bytes = sealKeyFile(handle, pkcs8, { kek, random: this.#config.random });
      writeDurably(this.#pathOf(handle.kid), bytes, { replace: false });
      made.push(handle);
      return handle.kid;
    });
    const [handle] = made;
    invariant(handle !== undefined, 'a key that was generated was kept');
    return this.#adopt(handle);
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- asynchronous for custodians that are not in this process
  async find(stored: { reference: string; purpose: KeyPurpose; publicKey: Buffer }): Promise<KeyHandle> {
    const handle = handleOf(stored.purpose, stored.publicKey);
    if (!KID.test(stored.reference) || handle.kid !== stored.reference) {
      throw new Fault('KEY_STORAGE', `the reference of key ${handle.kid} is not its own`);
    }
    this.#load(handle);
    return this.#adopt(handle);
  }

  async sign(handle: KeyHandle, message: Buffer): Promise<Buffer> {
    const rule = this.#rules.get(handle);
    invariant(rule !== undefined, 'a handle is used with the custodian that gave it');
    invariant(rule(message), `a ${handle.purpose} key never signs a message of this form`);
    if (!this.#keys.has(handle.reference)) this.#load(handle);
    return this.#keys.sign(handle.reference, message);
  }

  health(): CustodianHealth {
    return this.#config.kek() === null
      ? { state: 'unavailable', detail: 'sealed' }
      : { state: 'ready', detail: 'keys are in sealed files' };
  }

  /** Drops every private key from memory. */
  lock(): void {
    this.#keys.clear();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.lock();
    return Promise.resolve();
  }

  #adopt(handle: KeyHandle): KeyHandle {
    const { kid, purpose, algorithm } = handle;
    this.#rules.set(handle, messageRule({ kid, purpose, jose: JOSE_ALGORITHMS[algorithm] }));
    return handle;
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

  #pathOf(kid: string): string {
    return join(this.#config.directory, 'keys', `${kid}.key`);
  }
}

function handleOf(purpose: KeyPurpose, publicKey: Buffer): KeyHandle {
  const jwk = jwkOf(publicKey);
  const kid = kidOf(jwk);
  return Object.freeze({ kid, purpose, algorithm: KEY_TYPES[jwk.kty], reference: kid, publicKey });
}
