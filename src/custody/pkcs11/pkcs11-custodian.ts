import { createHash, createPublicKey, type KeyObject, verify, type VerifyKeyObjectInput } from 'node:crypto';
import { promisify } from 'node:util';
import { Fault } from '../../faults.ts';
import type { Clock } from '../../lib/clock.ts';
import { present } from '../../lib/invariant.ts';
import type { Random } from '../../lib/random.ts';
import { equalBytes } from '../../lib/secret.ts';
import type {
  CustodianHealth,
  KeyAlgorithm,
  KeyCustodian,
  KeyHandle,
  KeyPurpose,
  KeySpec,
} from '../custodian.ts';
import { type Kek, sealed } from '../kek.ts';
import { GivenHandles, keyHandle } from '../key-handle.ts';
import { AgentLost } from './agent-process.ts';
import { type ErrorClass, TokenError } from './cryptoki.ts';
import { algorithmsOf } from './token-algorithms.ts';
import { parsePkcs11Uri, type Pkcs11Uri, pkcs11Uri } from './pkcs11-uri.ts';
import { type OpenedToken, Signer, type TokenSettings } from './signer.ts';

/** A token and the clock by which it is waited for. */
export interface Pkcs11Given extends TokenSettings {
  readonly clock: Clock;
}

/** What the custodian of a token stands on. */
export interface Pkcs11CustodianConfig {
  /** The data directory. */
  readonly directory: string;
  /** The key-encryption key; null while sealed. */
  readonly kek: () => Kek | null;
  readonly random: Random;
  readonly pkcs11: Pkcs11Given;
}

/** Stored with each of its keys. */
export const PKCS11_CUSTODIAN = 'pkcs11';

/** How a key is found again: what `reference` says. */
interface KeyPlace {
  /** Label and serial number of the token. */
  readonly on: string;
  readonly serial: string;
  readonly label: string;
  readonly id: Buffer;
}

interface Known {
  readonly handle: KeyHandle;
  readonly place: KeyPlace;
  readonly publicKey: KeyObject;
}

/** A key that did not sign, though its token works. */
interface Unusable {
  readonly why: TokenError;
  /** Monotonic time from which it is tried again. */
  readonly againAt: number;
}

/** Beside the event loop, as the file custodian does. */
const verifyAside = promisify(verify);
const ID_BYTES = 16;
/** RSA keys and slow tokens take a minute. */
const GENERATE_DEADLINE_MS = 120_000;
/** How often the token proves that it signs, and in how many steps all keys have their turn: in ten minutes. */
const PROOF_MS = 30_000;
const ROUND_STEPS = 20;
/** An unusable key is tried again at most this often: each look can cost the agent, and all other keys their turn. */
const LOOK_AGAIN_MS = 5000;
/** Begins like no message of any purpose (signed-messages.ts), so that a proof is good for nothing else. */
const PROOF_PREFIX = 'mintmark-proof/';
const PROOF_BYTES = 32;

/**
 * Keys inside a token, behind a PKCS#11 module. They are made there, cannot leave, and are used by an agent of their own;
 * this process sees public keys and signatures. What is not there now may be there later: nothing needs a restart.
 */
export class Pkcs11Custodian implements KeyCustodian {
  readonly name = PKCS11_CUSTODIAN;
  readonly recovers = true;
  readonly #config: Pkcs11CustodianConfig;
  readonly #signer: Signer;
  readonly #given = new GivenHandles();
  /** By kid. */
  readonly #known = new Map<string, Known>();
  /** Keys that the token has not, or does not use, by kid. */
  readonly #unusable = new Map<string, Unusable>();
  /** Keys still to be proven in this round. */
  #round: string[] = [];
  #provenAt = Number.NEGATIVE_INFINITY;

  constructor(config: Pkcs11CustodianConfig) {
    this.#config = config;
    const pinKey = (): Buffer => this.#openKek().sealingKey('pkcs11-pin').export();
    this.#signer = new Signer({ ...config.pkcs11, directory: config.directory, pinKey });
  }

  /** Opens the token, for whoever wants to know before the first key is asked for. @throws Fault as {@link generate} */
  async start(): Promise<OpenedToken> {
    this.#openKek();
    return this.#explained(() => this.#signer.start());
  }

  async algorithms(): Promise<readonly KeyAlgorithm[]> {
    return algorithmsOf((await this.start()).mechanisms);
  }

  /** Number of the process that speaks to the token; undefined while there is none. */
  get agentPid(): number | undefined {
    return this.#signer.agentPid;
  }

  /**
   * Makes a key on the token and proves it with a signature.
   * @throws Fault SIGNER_UNAVAILABLE, SIGNER_REFUSED, SIGNER_BUSY, SEALED
   */
  async generate({ purpose, algorithm }: KeySpec): Promise<KeyHandle> {
    this.#openKek();
    return this.#explained(async () => {
      const id = this.#config.random.bytes(ID_BYTES);
      const label = labelOf(purpose, id);
      const asked = { algorithm: text(algorithm), label: text(label), id };
      const how = { deadlineMs: GENERATE_DEADLINE_MS, again: false };
      const { publicKey } = await this.#signer.ask('generate', asked, how);
      const { label: on, serial } = present(this.#signer.token, 'a token that made a key is open');
      const place = { on, serial, label, id };
      const handle = keyHandle(purpose, publicKey, referenceOf(place));
      this.#know(handle, place);
      await this.#challenge(handle.kid);
      return this.#given.give(handle);
    });
  }

  /**
   * Finds a key that was made earlier.
   * @throws Fault KEY_STORAGE when it is not there, or another than was stored; SIGNER_UNAVAILABLE, SEALED
   */
  async find(stored: { reference: string; purpose: KeyPurpose; publicKey: Buffer }): Promise<KeyHandle> {
    this.#openKek();
    const handle = keyHandle(stored.purpose, stored.publicKey, stored.reference);
    const place = placeOf(stored, handle.kid);
    return this.#explained(async () => {
      const token = await this.#signer.start();
      if (token.serial !== place.serial || token.label !== place.on) {
        const elsewhere = `is on token ${place.on} (${place.serial}), and another one is configured`;
        throw storage(handle.kid, elsewhere);
      }
      this.#know(handle, place);
      const asked = { label: text(place.label), id: place.id };
      const accept = ({ publicKey }: { readonly publicKey: Buffer }): boolean =>
        equalBytes(publicKey, stored.publicKey);
      await this.#noting(handle.kid, () => this.#signer.ask('find', asked, { accept }));
      return this.#given.give(handle);
    });
  }

  async sign(handle: KeyHandle, message: Buffer, options?: { deadlineMs?: number }): Promise<Buffer> {
    this.#given.demand(handle, message);
    this.#openKek();
    try {
      const unusable = this.#unusable.get(handle.kid);
      if (unusable !== undefined && this.#now() < unusable.againAt) throw unusable.why;
      return await this.#sign(handle.kid, message, options?.deadlineMs);
    } catch (error) {
      // Details are for the operator, in `health`; whoever asks for a licence file need not know our token.
      if (error instanceof TokenError && REFUSALS.has(error.of)) throw refused(handle, error);
      throw error instanceof TokenError || error instanceof AgentLost ? away(handle, error) : error;
    }
  }

  /** Whether signing works, from what was last seen of the token. */
  health(): CustodianHealth {
    if (this.#config.kek() === null) return { state: 'unavailable', detail: 'sealed' };
    const { trouble, token } = this.#signer;
    if (trouble !== null) return { state: 'unavailable', detail: trouble.detail, since: trouble.since };
    if (this.#unusable.size > 0) {
      const keys = Array.from(this.#unusable, ([kid, { why }]) => `key ${kid}: ${why.message}`);
      return { state: 'degraded', detail: keys.slice(0, MAX_SHOWN).join('; ') };
    }
    if (token === undefined) return { state: 'ready', detail: 'the token was not needed yet' };
    return { state: 'ready', detail: `keys are in token ${token.label} (${token.serial})` };
  }

  /**
   * Looks after the token: brings back one that was away, and has keys sign a challenge in turn, because what a token says
   * about itself stays `OK` when it is gone. What is wrong is in {@link health} afterwards.
   */
  async check(): Promise<void> {
    if (this.#config.kek() === null) return;
    const due = this.#now() - this.#provenAt >= PROOF_MS || this.#signer.trouble !== null;
    try {
      if (due) await this.#signer.start();
      const next = new Set([...this.#unusable.keys(), ...(due ? this.#nextOfRound() : [])]);
      for (const kid of next) await this.#prove(kid);
      if (due) this.#provenAt = this.#now();
    } catch (error) {
      const shown = error instanceof TokenError || error instanceof AgentLost || error instanceof Fault;
      if (!shown) throw error;
    }
  }

  /** Logs out, by ending the agent. */
  lock(): void {
    void this.#signer.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#signer.close();
  }

  /** 64 raw bytes, verified: whatever the module computed, and whichever key it took for ours. */
  async #sign(kid: string, message: Buffer, deadlineMs?: number): Promise<Buffer> {
    const { handle, place, publicKey } = present(this.#known.get(kid), 'a handle that was given is known');
    const { algorithm } = handle;
    const data = algorithm === 'ed25519' ? message : createHash('sha256').update(message).digest();
    const asked = { algorithm: text(algorithm), label: text(place.label), id: place.id, data };
    const accept = async ({ signature }: { readonly signature: Buffer }): Promise<boolean> =>
      signature.length === SIGNATURE_BYTES &&
      (await verifyAside(...VERIFYING[algorithm](publicKey, message), signature));
    const how = { deadlineMs, accept };
    const { signature } = await this.#noting(kid, () => this.#signer.ask('sign', asked, how));
    return signature;
  }

  /** Takes note of whether a key can be used. */
  async #noting<T>(kid: string, ask: () => Promise<T>): Promise<T> {
    try {
      const answered = await ask();
      this.#unusable.delete(kid);
      return answered;
    } catch (error) {
      if (isOfKey(error)) this.#unusable.set(kid, { why: error, againAt: this.#now() + LOOK_AGAIN_MS });
      throw error;
    }
  }

  async #challenge(kid: string): Promise<void> {
    await this.#sign(kid, Buffer.concat([text(PROOF_PREFIX), this.#config.random.bytes(PROOF_BYTES)]));
  }

  /** Has a key sign a challenge. One that cannot is noted, and is no failure of the token. */
  async #prove(kid: string): Promise<void> {
    await this.#challenge(kid).catch((error: unknown) => {
      if (!isOfKey(error)) throw error;
    });
  }

  #nextOfRound(): string[] {
    if (this.#round.length === 0) this.#round = [...this.#known.keys()];
    return this.#round.splice(0, Math.ceil(this.#known.size / ROUND_STEPS));
  }

  #know(handle: KeyHandle, place: KeyPlace): void {
    const publicKey = createPublicKey({ key: handle.publicKey, format: 'der', type: 'spki' });
    this.#known.set(handle.kid, { handle, place, publicKey });
  }

  /** For whoever runs the appliance: what the token said, in words. */
  async #explained<T>(body: () => Promise<T>): Promise<T> {
    try {
      return await body();
    } catch (error) {
      if (!(error instanceof TokenError || error instanceof AgentLost)) throw error;
      const { message } = error;
      if (error instanceof AgentLost) throw new Fault('SIGNER_UNAVAILABLE', message, { cause: error });
      if (KEY_IS_ANOTHER.has(error.of)) throw new Fault('KEY_STORAGE', message, { cause: error });
      const code = REFUSALS.has(error.of) ? 'SIGNER_REFUSED' : 'SIGNER_UNAVAILABLE';
      throw new Fault(code, message, { cause: error });
    }
  }

  #openKek(): Kek {
    const kek = this.#config.kek();
    if (kek === null) throw sealed();
    return kek;
  }

  #now(): number {
    return this.#config.pkcs11.clock.monotonic();
  }
}

/** Classes of errors that no waiting mends. */
const REFUSALS: ReadonlySet<ErrorClass> = new Set<ErrorClass>(['caller', 'policy']);
/** Classes of errors that say of a key that it is not the one that was stored. */
const KEY_IS_ANOTHER: ReadonlySet<ErrorClass> = new Set<ErrorClass>(['absent', 'wrong']);
const SIGNATURE_BYTES = 64;
/** Keys of which `health` says what is wrong. */
const MAX_SHOWN = 3;
const RETRY_AFTER_MS = 5000;

type VerifyArguments = [digest: string | null, message: Buffer, key: VerifyKeyObjectInput | KeyObject];

/** How node:crypto verifies what a token signs: P-256 gives r ‖ s (IEEE P1363). */
const VERIFYING: Readonly<Record<KeyAlgorithm, (key: KeyObject, message: Buffer) => VerifyArguments>> = {
  ed25519: (key, message) => [null, message, key],
  'ecdsa-p256': (key, message) => ['sha256', message, { key, dsaEncoding: 'ieee-p1363' }],
};

/** The label of a key names its purpose: who can write our database still cannot give a key another one. */
function labelOf(purpose: KeyPurpose, id: Buffer): string {
  return `mintmark/${purpose}/${id.toString('hex')}`;
}

function referenceOf({ on, serial, label, id }: KeyPlace): string {
  return pkcs11Uri({ token: on, serial, object: label, id, type: 'private' });
}

/** @throws Fault KEY_STORAGE unless the reference is, to the letter, one that we would write for this purpose */
function placeOf({ reference, purpose }: { reference: string; purpose: KeyPurpose }, kid: string): KeyPlace {
  const { token: on, serial, object: label, id } = readReference(reference);
  if (on !== undefined && serial !== undefined && label !== undefined && id?.length === ID_BYTES) {
    const place = { on, serial, label, id };
    if (label === labelOf(purpose, id) && referenceOf(place) === reference) return place;
  }
  throw storage(kid, 'has a reference that is not its own');
}

function readReference(reference: string): Pkcs11Uri {
  try {
    return parsePkcs11Uri(reference);
  } catch (error) {
    if (error instanceof Fault) return {};
    throw error;
  }
}

function storage(kid: string, what: string): Fault {
  return new Fault('KEY_STORAGE', `signing key ${kid} ${what}`);
}

function refused({ kid }: KeyHandle, cause: Error): Fault {
  return new Fault('SIGNER_REFUSED', `the token refuses to sign with key ${kid}`, { cause });
}

function away({ kid }: KeyHandle, cause?: Error): Fault {
  const message = `the token does not sign with key ${kid} at present`;
  return new Fault('SIGNER_UNAVAILABLE', message, { cause, retryAfterMs: RETRY_AFTER_MS });
}

/** Whether an error says something about one key, not about the token. */
function isOfKey(error: unknown): error is TokenError {
  return error instanceof TokenError && (error.of === 'policy' || KEY_IS_ANOTHER.has(error.of));
}

function text(value: string): Buffer {
  return Buffer.from(value, 'utf8');
}
