import { createRequire } from 'node:module';
import type * as Pkcs11Js from 'pkcs11js';
import type { Handle, KeyPair, PKCS11, TokenInfo } from 'pkcs11js';
import { invariant } from '../../lib/invariant.ts';
import { CKF, CKU_USER, resultError, TokenError } from './cryptoki.ts';

export type { Handle, KeyPair, TokenInfo } from 'pkcs11js';

/** One attribute of a template. */
export interface Attribute {
  readonly type: number;
  readonly value?: boolean | number | string | Buffer;
}

/**
 * A loaded PKCS#11 module. The border to native code: `pkcs11js` frees memory it never allocated when an attribute or a
 * mechanism is not what it expects, so everything is looked at before it goes down. Synchronous, for one thread.
 */
export class CryptokiModule {
  readonly #native: PKCS11;

  private constructor(native: PKCS11) {
    this.#native = native;
  }

  /**
   * Loads and initialises a module, with parameters if it wants some (PKCS#11 §5.4: `pReserved`). Once per process; only
   * the end of the process unloads it.
   * @throws TokenError
   */
  static load(path: string, parameters = ''): CryptokiModule {
    const native = newBinding();
    try {
      native.load(path);
    } catch (cause) {
      throw new TokenError('setup', 'MODULE', `the module ${path} cannot be loaded: ${wordsOf(cause)}`);
    }
    const module = new CryptokiModule(native);
    // Without the flag SoftHSM switches its locks off. The binding cuts off the last character of parameters.
    const given = parameters === '' ? {} : { libraryParameters: `${parameters} ` };
    module.#call('C_Initialize', () => native.C_Initialize({ flags: CKF.OS_LOCKING_OK, ...given }));
    return module;
  }

  /** What the module says of itself: maker, version, version of PKCS#11. */
  library(): string {
    const info = this.#call('C_GetInfo', () => this.#native.C_GetInfo());
    const version = ({ major, minor }: { major: number; minor: number }): string => `${major}.${minor}`;
    const names = `${info.manufacturerID.trimEnd()} ${version(info.libraryVersion)}`;
    return `${names}, PKCS#11 ${version(info.cryptokiVersion)}`;
  }

  /** The slots in which there is a token, each with what the token says of itself. */
  tokens(): { readonly slot: Handle; readonly info: TokenInfo }[] {
    const slots = this.#call('C_GetSlotList', () => this.#native.C_GetSlotList(true));
    return slots.map((slot) => {
      return { slot, info: this.#call('C_GetTokenInfo', () => this.#native.C_GetTokenInfo(slot)) };
    });
  }

  /** Numbers of the mechanisms of a token. */
  mechanisms(slot: Handle): number[] {
    return this.#call('C_GetMechanismList', () => this.#native.C_GetMechanismList(slot));
  }

  /** Opens a session, reading only unless `write`. */
  openSession(slot: Handle, write = false): Handle {
    const flags = CKF.SERIAL_SESSION | (write ? CKF.RW_SESSION : 0);
    return this.#call('C_OpenSession', () => this.#native.C_OpenSession(slot, flags));
  }

  /** Closes a session; one that is gone already is closed. */
  closeSession(session: Handle): void {
    try {
      this.#native.C_CloseSession(session);
    } catch {
      // Whatever is wrong with it, nobody uses it any more.
    }
  }

  /** Tries a PIN, once. */
  login(session: Handle, pin: string): void {
    this.#call('C_Login', () => this.#native.C_Login(session, CKU_USER, pin));
  }

  /** Makes a key pair. */
  generateKeyPair(
    session: Handle,
    mechanism: number,
    templates: { readonly publicKey: readonly Attribute[]; readonly privateKey: readonly Attribute[] },
  ): KeyPair {
    const [forPublic, forPrivate] = [checked(templates.publicKey), checked(templates.privateKey)];
    return this.#call('C_GenerateKeyPair', () =>
      this.#native.C_GenerateKeyPair(session, { mechanism: whole(mechanism) }, forPublic, forPrivate),
    );
  }

  /** Up to `most` objects that have all these attributes. */
  find(session: Handle, template: readonly Attribute[], most: number): Handle[] {
    const wanted = checked(template);
    this.#call('C_FindObjectsInit', () => {
      this.#native.C_FindObjectsInit(session, wanted);
    });
    try {
      return this.#call('C_FindObjects', () => this.#native.C_FindObjects(session, most));
    } finally {
      this.#call('C_FindObjectsFinal', () => {
        this.#native.C_FindObjectsFinal(session);
      });
    }
  }

  /** One attribute; of several, one that a token does not know would take the others with it. */
  attribute(session: Handle, object: Handle, type: number): Buffer {
    const template = checked([{ type }]);
    const [found] = this.#call('C_GetAttributeValue', () =>
      this.#native.C_GetAttributeValue(session, object, template),
    );
    invariant(Buffer.isBuffer(found?.value), 'an attribute that was read is bytes');
    return found.value;
  }

  /** Removes an object. */
  destroy(session: Handle, object: Handle): void {
    this.#call('C_DestroyObject', () => {
      this.#native.C_DestroyObject(session, object);
    });
  }

  /** Signs `data` in one part into exactly `length` bytes: NSS refuses a larger buffer. */
  sign(
    session: Handle,
    by: { mechanism: number; key: Handle },
    given: { data: Buffer; length: number },
  ): Buffer {
    // An empty buffer reaches the module as no buffer, and leaves its session unusable.
    invariant(given.data.length > 0, 'nothing is not signed');
    this.#call('C_SignInit', () => {
      this.#native.C_SignInit(session, { mechanism: whole(by.mechanism) }, by.key);
    });
    return this.#call('C_Sign', () => this.#native.C_Sign(session, given.data, Buffer.alloc(given.length)));
  }

  #call<T>(name: string, body: () => T): T {
    try {
      return body();
    } catch (error) {
      throw resultError(name, resultOf(error));
    }
  }
}

/** @throws TokenError setup when it was never built on this machine */
function newBinding(): PKCS11 {
  try {
    const { PKCS11: Binding } = createRequire(import.meta.url)('pkcs11js') as typeof Pkcs11Js; // by its own declaration
    return new Binding();
  } catch (cause) {
    throw new TokenError(
      'setup',
      'BINDING',
      `the binding to PKCS#11 modules is not built (${wordsOf(cause)}); run scripts/build-pkcs11, which needs g++`,
    );
  }
}

function checked(
  template: readonly Attribute[],
): { type: number; value?: boolean | number | string | Buffer }[] {
  return template.map(({ type, value }) => {
    const sound = value === undefined || typeof value !== 'number' || Number.isSafeInteger(value);
    invariant(sound, 'an attribute is a truth value, a whole number, a text or bytes');
    return value === undefined ? { type: whole(type) } : { type: whole(type), value };
  });
}

function whole(number: number): number {
  invariant(Number.isInteger(number) && number >= 0 && number <= 0xffffffff, 'a constant is a 32-bit number');
  return number;
}

/** CKR number of what the binding threw; 0: it was none of the module's. */
function resultOf(error: unknown): number {
  if (error instanceof Error && 'code' in error && typeof error.code === 'number' && error.code > 0)
    return error.code;
  // Three functions of the binding throw the bare text of the module.
  return Number(/CKR_\w+:(\d+)/.exec(String(error))?.[1] ?? 0);
}

function wordsOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
}
