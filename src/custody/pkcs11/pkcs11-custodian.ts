import type { KeyObject } from 'node:crypto';
import { Fault } from '../../faults.ts';
import type { Clock } from '../../lib/clock.ts';
import { present } from '../../lib/invariant.ts';
import type { Random } from '../../lib/random.ts';
import { equalBytes } from '../../lib/secret.ts';
import type {
  CustodianHealth,
  KeyAlgorithm,
  KeyCustodian,
  KeyEvidence,
  KeyHandle,
  KeyPurpose,
  KeySpec,
  StoredKey,
  TokenIdentity,
  TokenKeys,
} from '../custodian.ts';
import { type Kek, sealed } from '../kek.ts';
import { GivenHandles, keyHandle } from '../key-handle.ts';
import { proofChallenge } from '../signed-messages.ts';
import { AgentLost } from './agent-process.ts';
import { TokenError } from './cryptoki.ts';
import { away, explained, isOfKey, isRefusal, notCopied, refused } from './key-faults.ts';
import { algorithmsOf } from './token-algorithms.ts';
import { evidenceOf, nativeKey, signBy } from './key-on-token.ts';
import { ID_BYTES, type KeyPlace, keyStorage, labelOf, placeOf, referenceOf } from './key-place.ts';
import { moduleDigest, modulePath } from './module-file.ts';
import { parsePkcs11Uri, pkcs11Uri } from './pkcs11-uri.ts';
import { loadOf, type OpenedToken, Signer } from './signer.ts';
import type { TokensSettings } from './token-settings.ts';

/** A token and the clock by which it is waited for. */
export interface Pkcs11Given extends TokensSettings {
  readonly clock: Clock;
  /** Takes what modules write on standard error. */
  readonly heard?: ((line: string) => void) | undefined;
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

/** RSA keys and slow tokens take a minute. */
const GENERATE_DEADLINE_MS = 120_000;
/** How often the token proves that it signs, and in how many steps all keys have their turn: in ten minutes. */
const PROOF_MS = 30_000;
const ROUND_STEPS = 20;
/** An unusable key is tried again at most this often: each look can cost the agent, and all other keys their turn. */
const LOOK_AGAIN_MS = 5000;

/**
 * Keys inside a token, behind a PKCS#11 module. They are made there, cannot leave, and are used by an agent of their own;
 * this process sees public keys and signatures. What is not there now may be there later: nothing needs a restart.
 */
export class Pkcs11Custodian implements KeyCustodian, TokenKeys {
  readonly name = PKCS11_CUSTODIAN;
  readonly recovers = true;
  readonly inBackups = false;
  readonly tokenKeys = this;
  readonly #config: Pkcs11CustodianConfig;
  readonly #signer: Signer;
  /** The second token, with its serial. */
  readonly #second: { readonly signer: Signer; readonly serial: string } | null;
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
    const { copy, ...settings } = config.pkcs11;
    const deps = { ...settings, directory: config.directory, pinKey };
    this.#signer = new Signer(deps);
    this.#second =
      copy === undefined
        ? null
        : {
            signer: new Signer({ ...deps, ...copy, pinRecord: 'pin-tried-copy' }),
            serial: present(parsePkcs11Uri(copy.token).serial, 'a second token is named by its serial'),
          };
  }

  /** Opens the token, for whoever wants to know before the first key is asked for. @throws Fault as {@link generate} */
  async start(): Promise<OpenedToken> {
    this.#openKek();
    return explained(() => this.#signer.start());
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
  async generate(spec: KeySpec): Promise<KeyHandle> {
    this.#openKek();
    return explained(() => this.#generate(spec, this.#config.random.bytes(ID_BYTES)));
  }

  async make(spec: KeySpec, id: Buffer): Promise<{ readonly handle: KeyHandle; readonly found: boolean }> {
    this.#openKek();
    return explained(async () => {
      const asked = { label: text(labelOf(spec.purpose, id)), id };
      const there = await this.#signer.ask('find', asked).catch((error: unknown) => {
        if (error instanceof TokenError && error.of === 'absent') return undefined;
        throw error;
      });
      if (there === undefined) return { handle: await this.#generate(spec, id), found: false };
      return { handle: await this.#proven(spec.purpose, id, there.publicKey), found: true };
    });
  }

  async identity(): Promise<TokenIdentity> {
    const { label: token, serial, model, manufacturer } = await this.start();
    return explained(() => {
      const { module } = this.#config.pkcs11;
      const file = { module: modulePath(module), moduleSha256: moduleDigest(module) };
      return Promise.resolve({ ...file, token, serial, model, manufacturer });
    });
  }

  async evidence({ reference, purpose, kid }: KeyHandle): Promise<KeyEvidence> {
    const { label, id } = placeOf({ reference, purpose }, kid);
    return explained(async () => {
      const { evidence } = await this.#signer.ask('attributes', { label: text(label), id });
      return evidenceOf(evidence.toString('utf8'));
    });
  }

  async copyOf(stored: StoredKey): Promise<{ readonly token: string; readonly reference: string }> {
    this.#openKek();
    const { kid, algorithm, publicKey } = keyHandle(stored.purpose, stored.publicKey, stored.reference);
    const { label, id } = placeOf(stored, kid);
    if (this.#second === null) throw notCopied(kid, 'no second token is configured (pkcs11.copyToken)');
    const { signer } = this.#second;
    signer.hurry();
    try {
      const { label: on, serial } = await signer.start();
      const accept = (found: { readonly publicKey: Buffer }): boolean =>
        equalBytes(found.publicKey, publicKey);
      await signer.ask('find', { label: text(label), id }, { accept });
      await signBy(
        signer,
        { algorithm, publicKey: nativeKey(publicKey), label, id },
        { message: proofChallenge(this.#config.random) },
      );
      return { token: pkcs11Uri({ token: on, serial }), reference: referenceOf({ on, serial, label, id }) };
    } catch (error) {
      if (!(error instanceof TokenError || error instanceof AgentLost)) throw error;
      throw notCopied(kid, `its copy on the second token did not sign: ${error.message}`, error);
    }
  }

  /**
   * Finds a key that was made earlier.
   * @throws Fault KEY_STORAGE when it is not there, or another than was stored; SIGNER_UNAVAILABLE, SEALED
   */
  async find(stored: StoredKey): Promise<KeyHandle> {
    this.#openKek();
    const handle = keyHandle(stored.purpose, stored.publicKey, stored.reference);
    const place = placeOf(stored, handle.kid);
    return explained(async () => {
      const signer = this.#signerOf(place);
      const token = await signer.start();
      if (token.serial !== place.serial || token.label !== place.on) {
        const elsewhere = `is on token ${place.on} (${place.serial}), and another one is configured`;
        throw keyStorage(handle.kid, elsewhere);
      }
      this.#know(handle, place);
      const asked = { label: text(place.label), id: place.id };
      const accept = ({ publicKey }: { readonly publicKey: Buffer }): boolean =>
        equalBytes(publicKey, stored.publicKey);
      await this.#noting(handle.kid, () => signer.ask('find', asked, { accept }));
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
      if (isRefusal(error)) throw refused(handle, error);
      throw error instanceof TokenError || error instanceof AgentLost ? away(handle, error) : error;
    }
  }

  prove(handle: KeyHandle): Promise<void> {
    return explained(() => this.#challenge(this.#given.own(handle).kid));
  }

  /** Whether signing works, from what was last seen of the token. */
  health(): CustodianHealth {
    return { ...this.#health(), agents: loadOf(this.#signers()) };
  }

  #health(): CustodianHealth {
    if (this.#config.kek() === null) return { state: 'unavailable', detail: 'sealed' };
    const used = this.#used();
    const trouble = used.map((signer) => signer.trouble).find((one) => one !== null) ?? null;
    if (trouble !== null) return { state: 'unavailable', detail: trouble.detail, since: trouble.since };
    if (this.#unusable.size > 0) {
      const keys = Array.from(this.#unusable, ([kid, { why }]) => `key ${kid}: ${why.message}`);
      return { state: 'degraded', detail: keys.slice(0, MAX_SHOWN).join('; ') };
    }
    const opened = used.flatMap(({ token }) =>
      token === undefined ? [] : [`${token.label} (${token.serial})`],
    );
    if (opened.length === 0) return { state: 'ready', detail: 'the token was not needed yet' };
    return { state: 'ready', detail: `keys are in token ${opened.join(' and ')}` };
  }

  /**
   * Looks after the token: brings back one that was away, and has keys sign a challenge in turn, because what a token says
   * about itself stays `OK` when it is gone. What is wrong is in {@link health} afterwards.
   */
  async check(): Promise<void> {
    if (this.#config.kek() === null) return;
    const used = this.#used();
    const troubled = used.some((signer) => signer.trouble !== null);
    const due = this.#now() - this.#provenAt >= PROOF_MS || troubled;
    try {
      if (due) for (const signer of used) await signer.start();
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
    for (const signer of this.#signers()) void signer.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const signer of this.#signers()) await signer.close();
  }

  async #generate({ purpose, algorithm }: KeySpec, id: Buffer): Promise<KeyHandle> {
    const asked = { algorithm: text(algorithm), label: text(labelOf(purpose, id)), id };
    const how = { deadlineMs: GENERATE_DEADLINE_MS, again: false };
    const { publicKey } = await this.#signer.ask('generate', asked, how);
    return this.#proven(purpose, id, publicKey);
  }

  /** The handle of a key on the first token that has just signed. */
  async #proven(purpose: KeyPurpose, id: Buffer, publicKey: Buffer): Promise<KeyHandle> {
    const { label: on, serial } = present(this.#signer.token, 'a token that answered is open');
    const place = { on, serial, label: labelOf(purpose, id), id };
    const handle = keyHandle(purpose, publicKey, referenceOf(place));
    this.#know(handle, place);
    await this.#challenge(handle.kid);
    return this.#given.give(handle);
  }

  #signers(): Signer[] {
    return this.#second === null ? [this.#signer] : [this.#signer, this.#second.signer];
  }

  #signerOf({ serial }: KeyPlace): Signer {
    return this.#second?.serial === serial ? this.#second.signer : this.#signer;
  }

  /** Those that hold keys; the other one may be broken, for all we care. */
  #used(): readonly Signer[] {
    const used = new Set(Array.from(this.#known.values(), ({ place }) => this.#signerOf(place)));
    return used.size === 0 ? [this.#signer] : [...used];
  }

  async #sign(kid: string, message: Buffer, deadlineMs?: number): Promise<Buffer> {
    const { handle, place, publicKey } = present(this.#known.get(kid), 'a handle that was given is known');
    const { algorithm } = handle;
    const { label, id } = place;
    return this.#noting(kid, () =>
      signBy(this.#signerOf(place), { algorithm, publicKey, label, id }, { message, deadlineMs }),
    );
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
    await this.#sign(kid, proofChallenge(this.#config.random));
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
    this.#known.set(handle.kid, { handle, place, publicKey: nativeKey(handle.publicKey) });
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

/** Keys of which `health` says what is wrong. */
const MAX_SHOWN = 3;

function text(value: string): Buffer {
  return Buffer.from(value, 'utf8');
}
