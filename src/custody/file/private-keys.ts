import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto';
import { promisify } from 'node:util';
import { Fault } from '../../faults.ts';
import { invariant } from '../../lib/invariant.ts';
import { equalBytes } from '../../lib/secret.ts';
import type { KeyAlgorithm } from '../custodian.ts';

/** How an algorithm makes keys and signs with them. */
interface AlgorithmRow {
  readonly generate: () => { privateKey: KeyObject; publicKey: KeyObject };
  /** null: the algorithm hashes by itself (pure Ed25519, RFC 8032 §5.1). */
  readonly digest: string | null;
}

const ALGORITHMS: Readonly<Record<KeyAlgorithm, AlgorithmRow>> = {
  ed25519: { generate: () => generateKeyPairSync('ed25519'), digest: null },
  'ecdsa-p256': { generate: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }), digest: 'sha256' },
};

interface Pair {
  readonly digest: string | null;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

type SigningKey = KeyObject | { readonly key: KeyObject; readonly dsaEncoding: 'ieee-p1363' };

/**
 * A key that gives and takes raw signatures: r ‖ s (IEEE P1363) for P-256. Ed25519 has no other form, and without the
 * option each call is about 13 µs cheaper.
 */
function inRawForm(digest: string | null, key: KeyObject): SigningKey {
  return digest === null ? key : { key, dsaEncoding: 'ieee-p1363' };
}

/** On the threads of the runtime: a signature and its verification take as long as everything else a request needs. */
const signAside = promisify<string | null, Buffer, SigningKey, Buffer>(signBytes);
const verifyAside = promisify<string | null, Buffer, SigningKey, Buffer, boolean>(verifyBytes);

/**
 * The private keys in memory. Key objects stay in this module: nothing here returns one, and the only bytes that leave
 * go sealed into a file.
 */
export class PrivateKeys {
  readonly #pairs = new Map<string, Pair>();

  /**
   * Makes a key that is known under no name yet. `keep` gets its PKCS#8 (RFC 5958) and its public key, DER both, and
   * returns the name; the PKCS#8 is wiped afterwards.
   */
  generate(algorithm: KeyAlgorithm, keep: (pkcs8: Buffer, spki: Buffer) => string): void {
    const row = ALGORITHMS[algorithm];
    const { privateKey, publicKey } = row.generate();
    const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' });
    try {
      const name = keep(pkcs8, publicKey.export({ format: 'der', type: 'spki' }));
      this.#pairs.set(name, { digest: row.digest, privateKey, publicKey });
    } finally {
      pkcs8.fill(0);
    }
  }

  /**
   * Takes a key in from its PKCS#8, which is wiped.
   * @throws Fault KEY_STORAGE when it is not the private half of `spki`
   */
  load(name: string, pkcs8: Buffer, of: { readonly algorithm: KeyAlgorithm; readonly spki: Buffer }): void {
    const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
    pkcs8.fill(0);
    const publicKey = createPublicKey(privateKey);
    if (!equalBytes(publicKey.export({ format: 'der', type: 'spki' }), of.spki)) {
      throw new Fault('KEY_STORAGE', `key file ${name} holds another key than the one it names`);
    }
    this.#pairs.set(name, { digest: ALGORITHMS[of.algorithm].digest, privateKey, publicKey });
  }

  has(name: string): boolean {
    return this.#pairs.has(name);
  }

  /**
   * The raw 64-byte signature, verified with the public key before it is returned: a fault in the computation of an
   * Ed25519 signature can give the private key away.
   */
  async sign(name: string, message: Buffer): Promise<Buffer> {
    const pair = this.#pairs.get(name);
    invariant(pair !== undefined, 'a key is loaded before it signs');
    const { digest, privateKey, publicKey } = pair;
    const signature = await signAside(digest, message, inRawForm(digest, privateKey));
    const isGenuine = await verifyAside(digest, message, inRawForm(digest, publicKey), signature);
    if (!isGenuine) {
      throw new Fault(
        'SIGNER_UNAVAILABLE',
        'a signature did not verify and was not released; check the memory',
      );
    }
    return signature;
  }

  /** Drops every key; OpenSSL overwrites them when the last reference is gone. */
  clear(): void {
    this.#pairs.clear();
  }
}
