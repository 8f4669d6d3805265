import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPublicKey,
  hkdfSync,
  verify as verifyWithNode,
} from 'node:crypto';
import { gcm } from '@noble/ciphers/aes.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { rawFromDer, checkSignature, type SignatureVerifiers } from '../../src/verify/signature.ts';

/** What a group of vectors shares; each file uses its own members. */
export interface WycheproofGroup {
  readonly ivSize?: number;
  readonly tagSize?: number;
  readonly keySize?: number;
  readonly publicKey?: { readonly pk?: string; readonly uncompressed?: string };
}

/** One vector; all values in hexadecimal digits. */
export interface WycheproofTest {
  readonly tcId: number;
  readonly comment: string;
  readonly result: 'valid' | 'invalid' | 'acceptable';
  readonly [member: string]: unknown;
}

/** One implementation of one primitive. */
export interface Primitive {
  readonly name: string;
  readonly file: string;
  /** Whether the vector was accepted; throwing means it was not. */
  readonly check: (test: WycheproofTest, group: WycheproofGroup) => boolean | 'not used';
}

function bytes(test: WycheproofTest, member: string): Buffer {
  const text = test[member];
  if (typeof text !== 'string') throw new Error(`vector ${test.tcId.toString()} has no ${member}`);
  return Buffer.from(text, 'hex');
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

/** Through the library's own path, so that its rules about encodings are tested too. */
function accepts(
  key: { readonly algorithm: 'EdDSA' | 'ES256'; readonly bytes: Uint8Array },
  signed: { readonly message: Uint8Array; readonly signature: Uint8Array },
  verifiers: SignatureVerifiers = {},
): boolean {
  checkSignature({ kid: 'vector', ...key }, signed, verifiers);
  return true;
}

function nodeEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') };
  return verifyWithNode(null, message, createPublicKey({ key: jwk, format: 'jwk' }), signature);
}

function nodeEs256(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const [x, y] = [publicKey.subarray(1, 33), publicKey.subarray(33)].map((part) =>
    Buffer.from(part).toString('base64url'),
  );
  const key = createPublicKey({ key: { kty: 'EC', crv: 'P-256', x: x ?? '', y: y ?? '' }, format: 'jwk' });
  return verifyWithNode('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
}

const ed25519 = (name: string, verifiers: SignatureVerifiers): Primitive => ({
  name: `Ed25519, ${name}`,
  file: 'ed25519_test.json',
  check: (test, { publicKey }) =>
    accepts(
      { algorithm: 'EdDSA', bytes: Buffer.from(publicKey?.pk ?? '', 'hex') },
      { message: bytes(test, 'msg'), signature: bytes(test, 'sig') },
      verifiers,
    ),
});

const ecdsa = (name: string, file: string, raw: (signature: Buffer) => Uint8Array): Primitive => ({
  name: `ECDSA P-256, ${name}, node:crypto`,
  file,
  check: (test, { publicKey }) =>
    accepts(
      { algorithm: 'ES256', bytes: Buffer.from(publicKey?.uncompressed ?? '', 'hex') },
      { message: bytes(test, 'msg'), signature: raw(bytes(test, 'sig')) },
      { es256: nodeEs256 },
    ),
});

type Open = (input: { key: Buffer; iv: Buffer; aad: Buffer; ct: Buffer; tag: Buffer }) => Uint8Array;

function openWithNode({ key, iv, aad, ct, tag }: Parameters<Open>[0]): Uint8Array {
  const cipher = createDecipheriv(`aes-${(key.length * 8).toString()}-gcm` as 'aes-256-gcm', key, iv, {
    authTagLength: 16,
  }); // the types list the names one by one
  cipher.setAAD(aad).setAuthTag(tag);
  return Buffer.concat([cipher.update(ct), cipher.final()]);
}

const openWithNoble: Open = ({ key, iv, aad, ct, tag }) =>
  gcm(key, iv, aad).decrypt(Buffer.concat([ct, tag]));

const aesGcm = (name: string, open: Open): Primitive => ({
  name: `AES-GCM, ${name}`,
  file: 'aes_gcm_test.json',
  check(test, { ivSize, tagSize }) {
    if (ivSize !== 96 || tagSize !== 128) return 'not used';
    const [key, iv, aad, ct, tag] = ['key', 'iv', 'aad', 'ct', 'tag'].map((member) => bytes(test, member));
    if (key === undefined || iv === undefined || aad === undefined || ct === undefined || tag === undefined)
      return false;
    return same(open({ key, iv, aad, ct, tag }), bytes(test, 'msg'));
  },
});

const WRAPPED_LEAST_BYTES = 24;

const aesWrap: Primitive = {
  name: 'AES key wrap (id-aes256-wrap), node:crypto',
  file: 'aes_wrap_test.json',
  check(test, { keySize }) {
    if (keySize !== 256) return 'not used';
    // Node takes no input for a wrapped empty key; whoever unwraps must know the length (RFC 3394 §2: at least 3 blocks).
    if (bytes(test, 'ct').length < WRAPPED_LEAST_BYTES) return false;
    const iv = Buffer.alloc(8, 0xa6);
    // eslint-disable-next-line no-restricted-syntax -- key wrap has no tag: its integrity check is the fixed initial value
    const cipher = createDecipheriv('id-aes256-wrap', bytes(test, 'key'), iv);
    const opened = Buffer.concat([cipher.update(bytes(test, 'ct')), cipher.final()]);
    const wrap = createCipheriv('id-aes256-wrap', bytes(test, 'key'), iv);
    const wrapped = Buffer.concat([wrap.update(opened), wrap.final()]);
    return same(opened, bytes(test, 'msg')) && same(wrapped, bytes(test, 'ct'));
  },
};

function derived(test: WycheproofTest, derive: (length: number) => Uint8Array): boolean {
  return same(derive(Number(test['size'])), bytes(test, 'okm'));
}

const hkdfOf = (name: string, derive: (test: WycheproofTest, length: number) => Uint8Array): Primitive => ({
  name: `HKDF-SHA-256, ${name}`,
  file: 'hkdf_sha256_test.json',
  check: (test) => derived(test, (length) => derive(test, length)),
});

const hmacOf = (name: string, mac: (key: Buffer, message: Buffer) => Uint8Array): Primitive => ({
  name: `HMAC-SHA-256, ${name}`,
  file: 'hmac_sha256_test.json',
  check: (test, { tagSize = 256 }) =>
    same(mac(bytes(test, 'key'), bytes(test, 'msg')).subarray(0, tagSize / 8), bytes(test, 'tag')),
});

/** Every primitive we use, in every implementation we use. */
export const PRIMITIVES: readonly Primitive[] = [
  ed25519('noble', {}),
  ed25519('node:crypto', { ed25519: nodeEd25519 }),
  ecdsa('DER', 'ecdsa_secp256r1_sha256_test.json', rawFromDer),
  ecdsa('r ‖ s', 'ecdsa_secp256r1_sha256_p1363_test.json', (signature) => signature),
  aesGcm('noble', openWithNoble),
  aesGcm('node:crypto', openWithNode),
  aesWrap,
  hkdfOf('noble', (test, length) =>
    hkdf(sha256, bytes(test, 'ikm'), bytes(test, 'salt'), bytes(test, 'info'), length),
  ),
  hkdfOf(
    'node:crypto',
    (test, length) =>
      new Uint8Array(
        hkdfSync('sha256', bytes(test, 'ikm'), bytes(test, 'salt'), bytes(test, 'info'), length),
      ),
  ),
  hmacOf('noble', (key, message) => hmac(sha256, key, message)),
  hmacOf('node:crypto', (key, message) => createHmac('sha256', key).update(message).digest()),
];
