import { Fault } from '../faults.ts';
import type { EpochMs } from '../lib/clock.ts';
import { invariant } from '../lib/invariant.ts';
import type { Reader, Tx } from '../storage/tx.ts';
import {
  DEFAULT_CUSTODIAN,
  type KeyAlgorithm,
  type KeyCustodian,
  type KeyHandle,
  type KeyPurpose,
  type KeySpec,
} from './custodian.ts';
import { JOSE_ALGORITHMS, jwkOf } from './key-id.ts';
import { changeSigningKey, insertSigningKey, listSigningKeys } from './keyring-store.ts';
import {
  inState,
  KEY_STATES,
  type KeyScope,
  NO_COPY,
  placeOf,
  type SigningKey,
  type SigningKeyState,
  signsNow,
} from './signing-key.ts';

export {
  APPLIANCE_SCOPE,
  inState,
  KEY_STATES,
  type KeyScope,
  NO_COPY,
  realmScope,
  type SigningKey,
  signingKeyColumns,
  type SigningKeyState,
  signsNow,
  type StateChange,
  tenantScope,
} from './signing-key.ts';

/** What a keyring stands on. */
export interface KeyringDeps {
  /** Every open custodian; a key is only ever used with the one it was stored with. */
  readonly custodians: readonly KeyCustodian[];
  /** The name of the custodian that new keys are made in. */
  readonly makesIn: string;
  /** Purposes whose keys are made in sealed files all the same. */
  readonly inFiles?: readonly KeyPurpose[] | undefined;
  /** Whether keys in a token may sign without a copy elsewhere: somebody has accepted what follows from that. */
  readonly withoutCopy?: boolean | undefined;
}

/** What a new key is registered as. */
export interface Registration extends KeyScope {
  /** The environment of `realm`; null without one. */
  readonly environment: 'live' | 'test' | null;
  readonly state: 'pending' | 'active';
  readonly notBefore: EpochMs;
  readonly notAfter: EpochMs | null;
  /** When a pending key takes over by itself; left out or null: when somebody says so. */
  readonly activatesAt?: EpochMs | null;
}

/** A key that was made and stands in no table yet: the custodian has it on disk, the keyring does not know it. */
export interface NewKey {
  readonly custodian: string;
  readonly handle: KeyHandle;
  /** As {@link SigningKey.copy}. */
  readonly copy: string | null;
}

/** The signing keys of the appliance: which there are, which one signs for whom, and the way to a signature. */
export class Keyring {
  readonly #custodians: ReadonlyMap<string, KeyCustodian>;
  readonly #makesIn: string;
  readonly #inFiles: readonly KeyPurpose[];
  readonly #withoutCopy: boolean;
  readonly #keys = new Map<string, SigningKey>();
  /** Keys that may sign or may come to. */
  readonly #handles = new Map<string, KeyHandle>();
  /** Why a key of these could not be found, by kid. */
  readonly #unfound = new Map<string, string>();
  /** kid of the active key of each purpose and scope. */
  readonly #active = new Map<string, string>();

  private constructor(deps: KeyringDeps) {
    this.#custodians = new Map(deps.custodians.map((custodian) => [custodian.name, custodian]));
    this.#makesIn = deps.makesIn;
    this.#inFiles = deps.inFiles ?? [];
    this.#withoutCopy = deps.withoutCopy === true;
  }

  /**
   * Reads every signing key and finds those that can still sign in their custodians. A key whose custodian recovers by
   * itself is not waited for: it is looked for again when it is to sign.
   * @throws Fault KEY_STORAGE when one is missing, is another key, or its custodian is not configured; SEALED
   */
  static async open(deps: KeyringDeps, reader: Reader): Promise<Keyring> {
    const keyring = new Keyring(deps);
    for (const key of listSigningKeys(reader)) await keyring.#add(key);
    return keyring;
  }

  /** Every key, by the time it may sign from, then by kid. */
  list(): SigningKey[] {
    return [...this.#keys.values()].sort(byAge);
  }

  /** Whether a key that is to sign now is held by this custodian. */
  signsWith(custodian: string): boolean {
    return [...this.#active.values()].some((kid) => this.#keys.get(kid)?.custodian === custodian);
  }

  /** Keys that were left at the start because their custodian could not find them, and why; gone once they are found. */
  unfound(): { readonly kid: string; readonly reason: string }[] {
    return Array.from(this.#unfound, ([kid, reason]) => ({ kid, reason }));
  }

  /** A key by its kid; undefined when there is none. */
  find(kid: string): SigningKey | undefined {
    return this.#keys.get(kid);
  }

  /** The keys of a tenant and of its realms, in the order of {@link list}. */
  ofTenant(tenantId: string): SigningKey[] {
    return this.list().filter((key) => key.tenantId === tenantId);
  }

  /**
   * The one key that signs for a purpose and scope.
   * @throws Fault SIGNER_UNAVAILABLE when none is active
   */
  activeKey(purpose: KeyPurpose, scope: KeyScope): SigningKey {
    const kid = this.#active.get(placeOf(purpose, scope));
    const key = kid === undefined ? undefined : this.#keys.get(kid);
    if (key === undefined) throw new Fault('SIGNER_UNAVAILABLE', `there is no active ${purpose} key`);
    return key;
  }

  /**
   * Signs with a key of the ring: 64 raw bytes, verified.
   * @throws Fault SIGNER_UNAVAILABLE when the key's state does not sign, or its custodian cannot; SIGNER_BUSY, SEALED
   * @throws InvariantViolation when the message is not one that the key's purpose may sign
   */
  async sign(kid: string, message: Buffer, options?: { readonly deadlineMs?: number }): Promise<Buffer> {
    const key = this.#keys.get(kid);
    if (key === undefined || !signsNow(key)) {
      throw new Fault(
        'SIGNER_UNAVAILABLE',
        `signing key ${kid} is ${key?.state ?? 'unknown'} and does not sign`,
      );
    }
    return this.#custodian(key.custodian).sign(await this.#handleOf(key), message, options);
  }

  /** Signs with the active key of a purpose and scope. @throws as {@link activeKey} and {@link sign} */
  signAs(purpose: KeyPurpose, scope: KeyScope, message: Buffer): Promise<Buffer> {
    return this.sign(this.activeKey(purpose, scope).kid, message);
  }

  /**
   * Makes a key, durable when this resolves and known to nobody until {@link register}. A crash in between leaves a
   * key that nothing names.
   */
  async generate(spec: KeySpec): Promise<NewKey> {
    const custodian = this.makerOf(spec.purpose);
    const handle = await custodian.generate(spec);
    return { custodian: custodian.name, handle, copy: await this.#copyOfNew(custodian, handle) };
  }

  /** Whether a key is in a token, and nobody has seen a copy of it elsewhere. */
  lacksCopy({ custodian, copy }: Pick<SigningKey, 'custodian' | 'copy'>): boolean {
    return (copy === null || copy === NO_COPY) && !this.#custodian(custodian).inBackups;
  }

  /**
   * What has to hold of a key before it signs: there is a copy of it, or somebody has accepted that there is none.
   * @throws Fault KEY_NOT_COPIED
   */
  demandCopied({ custodian, copy, kid }: Pick<SigningKey, 'custodian' | 'copy' | 'kid'>): void {
    if (copy !== null || !this.lacksCopy({ custodian, copy })) return;
    throw new Fault(
      'KEY_NOT_COPIED',
      `signing key ${kid} is in a token, and no second token holds a copy of it`,
    );
  }

  /**
   * Has the copy of a key on the second token sign. @returns where it is: PKCS#11 URI of that token, and its reference there
   * @throws Fault KEY_NOT_COPIED
   */
  async copyOf(key: SigningKey): Promise<{ readonly token: string; readonly reference: string }> {
    const { tokenKeys, name } = this.#custodian(key.custodian);
    if (tokenKeys !== null) return tokenKeys.copyOf(key);
    throw new Fault('KEY_NOT_COPIED', `signing key ${key.kid} is in custodian ${name}, which is no token`);
  }

  /** Looks for a key where it is now; its custodian has known it elsewhere. @throws Fault KEY_STORAGE, SIGNER_UNAVAILABLE */
  async findMoved(kid: string): Promise<void> {
    const key = this.#keys.get(kid);
    if (key !== undefined) await this.#find(key);
  }

  /** Signing keys that are in tokens and may sign now or later. */
  inTokens(): SigningKey[] {
    return this.list().filter(
      (key) => mayComeToSign(key) && this.#custodian(key.custodian).tokenKeys !== null,
    );
  }

  /**
   * The algorithm of a new key: the best that its custodian and its purpose have in common.
   * @throws Fault CONFIG_INVALID when there is none
   */
  async algorithmFor(purpose: KeyPurpose): Promise<KeyAlgorithm> {
    const custodian = this.makerOf(purpose);
    const may = PURPOSE_ALGORITHMS[purpose] ?? ANY_ALGORITHM;
    const found = (await custodian.algorithms()).find((algorithm) => may.includes(algorithm));
    if (found !== undefined) return found;
    const remedy = `have it made in a file: custody.inFiles = ["${purpose}"]`;
    throw new Fault(
      'CONFIG_INVALID',
      `custodian ${custodian.name} makes no ${purpose} key of ${may.join(' or ')}; ${remedy}`,
    );
  }

  /** Signs with a key that is not registered yet: what must be signed for the unit that registers it. */
  signNew({ custodian, handle }: NewKey, message: Buffer): Promise<Buffer> {
    return this.#custodian(custodian).sign(handle, message);
  }

  /** Signs with a key that is pending: what must be signed for the unit that activates it. @throws as {@link sign} */
  async signAhead(kid: string, message: Buffer): Promise<Buffer> {
    const key = this.#keys.get(kid);
    invariant(key?.state === 'pending', 'only a pending key signs for what will make it active');
    return this.#custodian(key.custodian).sign(await this.#handleOf(key), message);
  }

  /** Has a key prove, in whatever state, that its private half is there. @throws Fault NOT_FOUND; as the custodian's `prove` */
  async prove(kid: string): Promise<void> {
    const key = this.#keys.get(kid);
    if (key === undefined) throw new Fault('NOT_FOUND', `there is no signing key ${kid}`);
    await this.#custodian(key.custodian).prove(this.#handles.get(kid) ?? (await this.#find(key)));
  }

  /**
   * Stores a new key inside a unit of the caller, who records `signing_key.created` with `signingKeyColumns`; from the
   * commit on it can be used.
   * @throws Fault CONFLICT when it is to be active and another key of its purpose and scope is
   */
  register(tx: Tx, made: NewKey, as: Registration): SigningKey {
    const key = describeKey(made, as);
    if (key.state === 'active') this.demandCopied(key);
    insertSigningKey(tx, key);
    tx.afterCommit(() => {
      this.#handles.set(key.kid, made.handle);
      this.#put(key);
    });
    return key;
  }

  /**
   * Stores keys as they are to be, one version further each, inside a unit of the caller, who records them. A key that
   * makes room for another comes before it.
   * @throws Fault CONFLICT when one was changed meanwhile
   */
  change(tx: Tx, keys: readonly SigningKey[]): void {
    for (const key of keys) {
      if (key.state === 'active') this.demandCopied(key);
      changeSigningKey(tx, key);
    }
    tx.afterCommit(() => {
      for (const key of keys) {
        // One that was moved to another token is looked for there.
        if (this.#keys.get(key.kid)?.reference !== key.reference) this.#handles.delete(key.kid);
        this.#put(key);
      }
    });
  }

  /**
   * Changes a key's state inside a unit of the caller, who records it. Activating a key makes the one before it
   * `retiring` in the same unit. Returns every key that changed, as it is after the commit.
   * @throws Fault CONFLICT when the state cannot be reached from the present one; NOT_FOUND
   */
  changeState(tx: Tx, kid: string, to: SigningKeyState): readonly SigningKey[] {
    const key = this.#keys.get(kid);
    if (key === undefined) throw new Fault('NOT_FOUND', `there is no signing key ${kid}`);
    const change = { now: tx.now };
    const next = inState(key, to, change);
    const holder = to === 'active' ? this.#active.get(placeOf(key.purpose, key)) : undefined;
    const before = holder === undefined ? undefined : this.#keys.get(holder);
    const changed = [...(before === undefined ? [] : [inState(before, 'retiring', change)]), next];
    this.change(tx, changed);
    return changed;
  }

  async #add(key: SigningKey): Promise<void> {
    const mayCome = mayComeToSign(key);
    // A standby root is kept elsewhere, and looked for when it is to sign.
    if (mayCome && !(key.purpose === 'root' && key.state === 'pending')) await this.#findOrLeave(key);
    this.#put(key);
  }

  async #findOrLeave(key: SigningKey): Promise<void> {
    try {
      await this.#find(key);
    } catch (error) {
      // The power that came back to us may come back to the token a minute later; validation does not wait for it.
      const left =
        error instanceof Fault && error.code !== 'SEALED' && this.#custodian(key.custodian).recovers;
      if (!left) throw error;
      this.#unfound.set(key.kid, error.message);
    }
  }

  async #handleOf(key: SigningKey): Promise<KeyHandle> {
    return this.#handles.get(key.kid) ?? (await this.#findAgain(key));
  }

  /** Whoever wants a signature is told that there is none now; why, the custodian's health says. */
  async #findAgain(key: SigningKey): Promise<KeyHandle> {
    try {
      return await this.#find(key);
    } catch (cause) {
      if (!(cause instanceof Fault && cause.code === 'KEY_STORAGE')) throw cause;
      throw new Fault('SIGNER_UNAVAILABLE', `signing key ${key.kid} cannot be found at present`, { cause });
    }
  }

  async #find(key: SigningKey): Promise<KeyHandle> {
    const { reference, purpose, publicKey } = key;
    const handle = await this.#custodian(key.custodian).find({ reference, purpose, publicKey });
    invariant(handle.kid === key.kid, 'a stored kid is that of its public key');
    this.#handles.set(key.kid, handle);
    this.#unfound.delete(key.kid);
    return handle;
  }

  #put(key: SigningKey): void {
    const place = placeOf(key.purpose, key);
    this.#keys.set(key.kid, key);
    if (key.state === 'active') this.#active.set(place, key.kid);
    else if (this.#active.get(place) === key.kid) this.#active.delete(place);
  }

  /** Some vendors' devices copy by themselves, at once; for the others a pending key waits for its copy. */
  async #copyOfNew({ inBackups, tokenKeys }: KeyCustodian, handle: KeyHandle): Promise<string | null> {
    if (inBackups || tokenKeys === null) return null;
    try {
      return (await tokenKeys.copyOf(handle)).token;
    } catch (error) {
      if (!(error instanceof Fault && error.code === 'KEY_NOT_COPIED')) throw error;
      return this.#withoutCopy ? NO_COPY : null;
    }
  }

  /** The custodian that a new key of this purpose is made in. */
  makerOf(purpose: KeyPurpose): KeyCustodian {
    return this.#custodian(this.#inFiles.includes(purpose) ? DEFAULT_CUSTODIAN : this.#makesIn);
  }

  /** Never another custodian than the stored one: that would be signing in software for a key that has a token. */
  #custodian(name: string): KeyCustodian {
    const custodian = this.#custodians.get(name);
    if (custodian !== undefined) return custodian;
    throw new Fault('KEY_STORAGE', `custodian ${name} holds a signing key and is not configured`);
  }
}

const ANY_ALGORITHM: readonly KeyAlgorithm[] = ['ed25519', 'ecdsa-p256'];

/** Purposes whose format has no choice: a checkpoint is an Ed25519 note (C2SP signed-note). */
const PURPOSE_ALGORITHMS: Partial<Readonly<Record<KeyPurpose, readonly KeyAlgorithm[]>>> = {
  ledger: ['ed25519'],
};

/** Whether a key signs, or can come to. */
function mayComeToSign(key: SigningKey): boolean {
  return signsNow(key) || KEY_STATES[key.state].next.includes('active');
}

function byAge(a: SigningKey, b: SigningKey): number {
  return a.notBefore - b.notBefore || (a.kid < b.kid ? -1 : 1);
}

/** A new key as the keyring will know it. */
export function describeKey({ custodian, handle, copy }: NewKey, as: Registration): SigningKey {
  const { kid, purpose, reference, publicKey, algorithm } = handle;
  const named = { kid, purpose, custodian, reference, copy, publicKey, keyAlgorithm: algorithm, version: 1 };
  const { tenantId, realm, environment, state, notBefore, notAfter, activatesAt = null } = as;
  return {
    ...named,
    ...{ tenantId, realm, environment, state, notBefore, notAfter, activatesAt, compromisedSince: null },
    algorithm: JOSE_ALGORITHMS[algorithm],
    jwk: jwkOf(publicKey),
  };
}
