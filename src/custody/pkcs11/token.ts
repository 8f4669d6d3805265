import type { KeyAlgorithm, KeyEvidence } from '../custodian.ts';
import { CKA, CKF, CKK, CKM, CKO, TokenError } from './cryptoki.ts';
import type { Attribute, CryptokiModule, Handle, KeyPair, TokenInfo } from './cryptoki-module.ts';
import { algorithmOfPoint, spkiOfPoint } from './ec-point.ts';
import type { Pkcs11Uri } from './pkcs11-uri.ts';

/** How an algorithm is made and used on a token. */
interface AlgorithmRow {
  readonly keyType: number;
  readonly generates: number;
  readonly signs: number;
  /** CKA_EC_PARAMS, in the order in which modules take them. */
  readonly curves: readonly string[];
  /** How long the data to sign is; null: any length. CKM_ECDSA would sign anything without complaint. */
  readonly dataBytes: number | null;
}

const ALGORITHMS: Readonly<Record<KeyAlgorithm, AlgorithmRow>> = {
  ed25519: {
    keyType: CKK.EC_EDWARDS,
    generates: CKM.EC_EDWARDS_KEY_PAIR_GEN,
    signs: CKM.EDDSA,
    // OID 1.3.101.112 (RFC 8410); PrintableString "edwards25519" (PKCS#11 v3.0 §2.3.5).
    curves: ['06032b6570', '130c656477617264733235353139'],
    dataBytes: null,
  },
  'ecdsa-p256': {
    keyType: CKK.EC,
    generates: CKM.EC_KEY_PAIR_GEN,
    signs: CKM.ECDSA,
    curves: ['06082a8648ce3d030107'],
    dataBytes: 32,
  },
};

const SIGNATURE_BYTES = 64;
/** How the labels of keys begin that are made for a probe and removed after it. */
export const PROBE_LABEL = 'mintmark/probe/';

/** What names one key on a token. */
export interface KeyName {
  readonly label: string;
  readonly id: Buffer;
}

/** A chosen token. Handles of keys are kept until the process ends: looking one up takes longer than signing. */
export class Token {
  readonly info: TokenInfo;
  readonly #module: CryptokiModule;
  readonly #slot: Handle;
  readonly #keys = new Map<string, Handle>();
  /** Holds the login: a token forgets it with the last session. */
  #standing: Handle | undefined;

  private constructor(module: CryptokiModule, { slot, info }: { slot: Handle; info: TokenInfo }) {
    this.#module = module;
    this.#slot = slot;
    this.info = info;
  }

  /** Chooses the one token that is described. @throws TokenError when there is none, or more than one */
  static choose(module: CryptokiModule, wanted: Pkcs11Uri): Token {
    const ready = module.tokens().filter(({ info }) => (info.flags & CKF.TOKEN_INITIALIZED) !== 0);
    const fitting = ready.filter(({ info }) => fits(info, wanted));
    const [only, ...others] = fitting;
    if (only === undefined) throw new TokenError('backend', 'NO_TOKEN', 'there is no such token');
    if (others.length === 0) return new Token(module, only);
    const serials = fitting.map(({ info }) => info.serialNumber.trim()).join(', ');
    const detail = `${fitting.length} tokens fit; name the one you mean by its serial: ${serials}`;
    throw new TokenError('setup', 'SEVERAL_TOKENS', detail);
  }

  /** Numbers of what the token can do. */
  get mechanisms(): number[] {
    return this.#module.mechanisms(this.#slot);
  }

  /** Logs in, with one attempt. @throws TokenError pin */
  login(pin: string): void {
    const { minPinLen, maxPinLen } = this.info;
    const length = Buffer.byteLength(pin);
    if (length < minPinLen || length > maxPinLen) {
      const detail = `the PIN has a length that the token does not take (${minPinLen} to ${maxPinLen} bytes)`;
      throw new TokenError('setup', 'PIN_SOURCE', detail);
    }
    this.#standing = this.#module.openSession(this.#slot);
    this.#module.login(this.#standing, pin);
  }

  /**
   * Makes a key pair that cannot leave the token, and reads back that it cannot. What tokens disagree about (curve names,
   * some attributes) is tried in turn.
   * @throws TokenError
   */
  generate(algorithm: KeyAlgorithm, name: KeyName): Buffer {
    const attempts = ALGORITHMS[algorithm].curves.flatMap((curve) => [
      { curve, optional: true },
      { curve, optional: false },
    ]);
    return this.#inSession(true, (session) => {
      for (const [index, attempt] of attempts.entries()) {
        try {
          const pair = this.#generate(session, { algorithm, name, ...attempt });
          return this.#accept(session, { pair, algorithm, name });
        } catch (error) {
          const again = error instanceof TokenError && TRY_OTHERWISE.has(error.code);
          if (!again || index === attempts.length - 1) throw error;
        }
      }
      throw new TokenError('policy', 'GENERATE', 'the token makes no such key');
    });
  }

  /** The SubjectPublicKeyInfo of the one key of this name. @throws TokenError absent */
  find(name: KeyName): Buffer {
    return this.#inSession(false, (session) => {
      this.#keys.set(name.id.toString('hex'), this.#one(session, CKO.PRIVATE_KEY, name));
      return this.#publicKey(session, this.#one(session, CKO.PUBLIC_KEY, name));
    });
  }

  /** What the token says of a key: `local=1 sensitive=1 …`, with `?` where it says nothing. @throws TokenError absent */
  evidence(name: KeyName): string {
    return this.#inSession(false, (session) => {
      const key = this.#one(session, CKO.PRIVATE_KEY, name);
      const words = EVIDENCE.map(([word, type]) => `${word}=${this.#flag(session, key, type)}`);
      return words.join(' ');
    });
  }

  /** Removes a key pair that was made for a probe. @throws TokenError when it is any other */
  discard(name: KeyName): void {
    if (!name.label.startsWith(PROBE_LABEL)) {
      throw new TokenError('policy', 'DISCARD', 'nothing is removed but what a probe has made');
    }
    this.#inSession(true, (session) => {
      for (const kind of [CKO.PRIVATE_KEY, CKO.PUBLIC_KEY]) {
        this.#module.destroy(session, this.#one(session, kind, name));
      }
    });
  }

  /** The raw signature of the key of this name: 64 bytes. @throws TokenError */
  sign(algorithm: KeyAlgorithm, name: KeyName, data: Buffer): Buffer {
    const { signs, dataBytes } = ALGORITHMS[algorithm];
    if (dataBytes !== null && data.length !== dataBytes) {
      throw new TokenError('caller', 'DATA', `${algorithm} signs a digest of ${dataBytes} bytes`);
    }
    return this.#inSession(false, (session) => {
      const key = this.#keyOf(session, name);
      return this.#module.sign(session, { mechanism: signs, key }, { data, length: SIGNATURE_BYTES });
    });
  }

  /** A session of its own for each operation: one that failed is stuck in it for good. */
  #inSession<T>(write: boolean, body: (session: Handle) => T): T {
    const session = this.#module.openSession(this.#slot, write);
    try {
      return body(session);
    } finally {
      this.#module.closeSession(session);
    }
  }

  #keyOf(session: Handle, name: KeyName): Handle {
    const id = name.id.toString('hex');
    const known = this.#keys.get(id) ?? this.#one(session, CKO.PRIVATE_KEY, name);
    this.#keys.set(id, known);
    return known;
  }

  /** Exactly one: two keys of one name are somebody's mistake, or his intention. */
  #one(session: Handle, objectClass: number, { label, id }: KeyName): Handle {
    const wanted = [
      { type: CKA.CLASS, value: objectClass },
      { type: CKA.LABEL, value: label },
      { type: CKA.ID, value: id },
    ];
    const [only, ...others] = this.#module.find(session, wanted, 2);
    if (only === undefined) throw new TokenError('absent', 'NO_KEY', `key ${label} is not on the token`);
    if (others.length === 0) return only;
    throw new TokenError(
      'policy',
      'SEVERAL_KEYS',
      `there are two keys ${label} on the token; remove the other`,
    );
  }

  #flag(session: Handle, object: Handle, type: number): string {
    try {
      return String(this.#module.attribute(session, object, type)[0] ?? '?');
    } catch (error) {
      if (error instanceof TokenError && (error.of === 'caller' || error.of === 'policy')) return '?';
      throw error;
    }
  }

  #publicKey(session: Handle, object: Handle): Buffer {
    const point = this.#module.attribute(session, object, CKA.EC_POINT);
    const algorithm = algorithmOfPoint(point);
    if (algorithm !== undefined) return spkiOfPoint(algorithm, point);
    throw new TokenError('policy', 'EC_POINT', `the token names a public key in ${point.length} bytes`);
  }

  #generate(session: Handle, given: NewPair): KeyPair {
    const { generates } = ALGORITHMS[given.algorithm];
    return this.#module.generateKeyPair(session, generates, templatesOf(given));
  }

  #accept(session: Handle, made: { pair: KeyPair; algorithm: KeyAlgorithm; name: KeyName }): Buffer {
    const { privateKey, publicKey } = made.pair;
    const is = (type: number): boolean => this.#module.attribute(session, privateKey, type)[0] === 1;
    if (is(CKA.SENSITIVE) && !is(CKA.EXTRACTABLE)) {
      const point = this.#module.attribute(session, publicKey, CKA.EC_POINT);
      return spkiOfPoint(made.algorithm, point);
    }
    for (const object of [privateKey, publicKey]) this.#module.destroy(session, object);
    throw new TokenError('policy', 'EXTRACTABLE', 'the token made a key that can leave it; it was removed');
  }
}

interface NewPair {
  readonly algorithm: KeyAlgorithm;
  readonly name: KeyName;
  readonly curve: string;
  /** Also asks for what not every token knows. */
  readonly optional: boolean;
}

/** Attributes that say how a key came to be, by the names that {@link KeyEvidence} has for them. */
const EVIDENCE = [
  ['local', CKA.LOCAL],
  ['sensitive', CKA.SENSITIVE],
  ['alwaysSensitive', CKA.ALWAYS_SENSITIVE],
  ['extractable', CKA.EXTRACTABLE],
  ['neverExtractable', CKA.NEVER_EXTRACTABLE],
] as const satisfies [keyof KeyEvidence, number][];

/** Answers to a template that another template may avoid. */
const TRY_OTHERWISE: ReadonlySet<string> = new Set([
  ...['CKR_TEMPLATE_INCONSISTENT', 'CKR_TEMPLATE_INCOMPLETE', 'CKR_ATTRIBUTE_TYPE_INVALID'],
  ...['CKR_ATTRIBUTE_VALUE_INVALID', 'CKR_ATTRIBUTE_READ_ONLY', 'CKR_ARGUMENTS_BAD'],
  ...['CKR_DOMAIN_PARAMS_INVALID', 'CKR_CURVE_NOT_SUPPORTED', 'CKR_GENERAL_ERROR'],
]);

const PUBLIC_USES: readonly Attribute[] = [
  { type: CKA.VERIFY, value: true },
  { type: CKA.ENCRYPT, value: false },
  { type: CKA.WRAP, value: false },
];

/** Every attribute is said: what is left out defaults to extractable on two of the modules we know. */
function templatesOf({ algorithm, name, curve, optional }: NewPair) {
  const { keyType, signs } = ALGORITHMS[algorithm];
  const both: Attribute[] = [
    { type: CKA.KEY_TYPE, value: keyType },
    { type: CKA.TOKEN, value: true },
    { type: CKA.LABEL, value: name.label },
    { type: CKA.ID, value: name.id },
    { type: CKA.DERIVE, value: false },
    ...(optional ? [{ type: CKA.MODIFIABLE, value: false }] : []),
  ];
  const publicKey: Attribute[] = [
    { type: CKA.CLASS, value: CKO.PUBLIC_KEY },
    ...both,
    { type: CKA.PRIVATE, value: false },
    { type: CKA.EC_PARAMS, value: Buffer.from(curve, 'hex') },
    // Nobody uses this half on the token; tpm2-pkcs11 has its own idea of what it is for.
    ...(optional ? PUBLIC_USES : []),
  ];
  const privateKey: Attribute[] = [
    { type: CKA.CLASS, value: CKO.PRIVATE_KEY },
    ...both,
    { type: CKA.PRIVATE, value: true },
    { type: CKA.SENSITIVE, value: true },
    { type: CKA.EXTRACTABLE, value: false },
    { type: CKA.SIGN, value: true },
    { type: CKA.SIGN_RECOVER, value: false },
    { type: CKA.DECRYPT, value: false },
    { type: CKA.UNWRAP, value: false },
    ...(optional ? [{ type: CKA.ALLOWED_MECHANISMS, value: unsignedLong(signs) }] : []),
  ];
  return { publicKey, privateKey };
}

/** A CK_ULONG as it lies in memory on the machines we run on: 8 bytes, little-endian. */
function unsignedLong(number: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(number));
  return bytes;
}

function fits(info: TokenInfo, { token, serial, manufacturer, model }: Pkcs11Uri): boolean {
  const pairs: readonly (readonly [string, string | undefined])[] = [
    [info.label, token],
    [info.serialNumber, serial],
    [info.manufacturerID, manufacturer],
    [info.model, model],
  ];
  return pairs.every(([is, wanted]) => wanted === undefined || is.trimEnd() === wanted);
}
