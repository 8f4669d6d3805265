import { gcm } from '@noble/ciphers/aes.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { decodeBase64, encodeBase64 } from './base64.ts';
import { canonicalLicenseKey, exactLicenseKey } from './license-key.ts';
import { Refusal, demandForm } from './refusal.ts';
import { asObject, stringAt } from './shape.ts';
import type { SignatureAlgorithm } from './signature.ts';
import { readJson, type JsonObject } from './strict-json.ts';
import { utf8Bytes, utf8Text } from './text.ts';

/** Which certificate; the armour decides the prefix of the signed bytes. */
export type CertificateKind = 'license' | 'machine';

/** A certificate taken apart; nothing in it is trusted yet. */
export interface Certificate {
  readonly kind: CertificateKind;
  readonly enc: string;
  readonly sig: string;
  readonly alg: string;
  readonly kid: string;
  /** Whether it comes with a site grant or with key shares, which this entry point does not read. */
  readonly hasChain: boolean;
  readonly hasShares: boolean;
}

const MAX_BYTES = 64 * 1024;
const LINE = 60;
const IV_BYTES = 12;
const TAG_BYTES = 16;

const ARMOUR = { license: 'LICENSE FILE', machine: 'MACHINE FILE' } as const;

/**
 * Members a certificate may have, in their order; the first four are always there. Nothing signs the others here, so that
 * one nobody reads could be changed unnoticed: `cert` (a key record) is refused like every unknown member.
 */
const MEMBERS = ['enc', 'sig', 'alg', 'kid', 'chain', 'bind'];

/** The two ciphers, by the first part of `alg`. */
const CIPHERS = { encrypted: 'aes-256-gcm', plain: 'base64' } as const;
const SUFFIXES = { EdDSA: 'ed25519', ES256: 'ecdsa-secp256r1' } as const;

/**
 * Takes the file text apart: one armour block, lines of 60, strict base64, strict JSON in its one canonical form, so
 * that no two texts are the same file.
 * @throws Refusal MALFORMED
 */
export function readCertificate(text: string | Uint8Array, kind: CertificateKind): Certificate {
  demandForm(text.length <= MAX_BYTES, 'the file is too large');
  // A character that is not ASCII stands in no armour and is not base64.
  const file = typeof text === 'string' ? text : utf8Text(text);
  const json = utf8Text(decodeBase64(unarmour(file, kind)));
  const members = asObject(readJson(json), 'certificate');
  demandForm(JSON.stringify(inOrder(members)) === json, 'the certificate is not in its canonical form');
  return {
    kind,
    enc: stringAt(members, 'enc'),
    sig: stringAt(members, 'sig'),
    alg: stringAt(members, 'alg'),
    kid: stringAt(members, 'kid'),
    hasChain: Object.hasOwn(members, 'chain'),
    hasShares: Object.hasOwn(members, 'bind'),
  };
}

function unarmour(file: string, kind: CertificateKind): string {
  const [begin, end] = [`-----BEGIN ${ARMOUR[kind]}-----\n`, `\n-----END ${ARMOUR[kind]}-----\n`];
  const framed = file.startsWith(begin) && file.endsWith(end) && file.length > begin.length + end.length;
  demandForm(framed, `this is not one ${ARMOUR[kind]} with its line ends as they were`);
  const lines = file.slice(begin.length, -end.length).split('\n');
  const last = lines.pop() ?? '';
  const even = lines.every((line) => line.length === LINE) && last.length > 0 && last.length <= LINE;
  demandForm(even, 'the lines of the file were changed');
  return lines.join('') + last;
}

function inOrder(members: JsonObject): JsonObject {
  return Object.fromEntries(
    MEMBERS.flatMap((name) => {
      const value = members[name];
      return value === undefined ? [] : [[name, value] as const];
    }),
  );
}

/** Whether `alg` is what a key of this algorithm demands, and which cipher it then names. */
export function cipherOf(alg: string, algorithm: SignatureAlgorithm): keyof typeof CIPHERS {
  if (alg === `${CIPHERS.encrypted}+${SUFFIXES[algorithm]}`) return 'encrypted';
  if (alg === `${CIPHERS.plain}+${SUFFIXES[algorithm]}`) return 'plain';
  throw new Refusal('ALGORITHM_UNKNOWN', `the algorithm ${alg} is not the one of the key`);
}

/** What opens an encrypted file. */
export interface ContentSecret {
  /** As the user typed it. */
  readonly licenseKey: string | undefined;
  /** Empty for a licence file. */
  readonly fingerprint: string;
}

/**
 * The text of the dataset.
 * @throws Refusal LICENSE_KEY_REQUIRED, DECRYPTION_FAILED, MALFORMED
 */
export function openContent(enc: string, cipher: keyof typeof CIPHERS, secret: ContentSecret): string {
  if (cipher === 'plain') return utf8Text(decodeBase64(enc));
  const [ciphertext, iv, tag, ...more] = enc.split('.').map(decodeBase64);
  const complete = ciphertext !== undefined && iv?.length === IV_BYTES && tag?.length === TAG_BYTES;
  demandForm(complete && more.length === 0, 'the encrypted content has not its three parts');
  const { licenseKey, fingerprint } = secret;
  if (licenseKey === undefined || licenseKey.trim() === '')
    throw new Refusal('LICENSE_KEY_REQUIRED', 'the file is encrypted: its licence key is needed');
  const sealed = new Uint8Array(ciphertext.length + TAG_BYTES);
  sealed.set(ciphertext);
  sealed.set(tag, ciphertext.length);
  // A key that was imported from elsewhere may happen to read like one of ours: then its exact characters count.
  for (const key of new Set([canonicalLicenseKey(licenseKey), exactLicenseKey(licenseKey)])) {
    const opened = decrypt(sealed, iv, sha256(utf8Bytes(key + fingerprint)));
    if (opened !== undefined) return utf8Text(opened);
  }
  throw new Refusal('DECRYPTION_FAILED', 'the licence key or the fingerprint does not open this file');
}

function decrypt(sealed: Uint8Array, iv: Uint8Array, key: Uint8Array): Uint8Array | undefined {
  try {
    return gcm(key, iv).decrypt(sealed);
  } catch {
    return undefined;
  }
}

/** The base64 signature of a certificate as bytes. @throws Refusal MALFORMED */
export function signatureOf(certificate: Certificate): Uint8Array {
  const bytes = decodeBase64(certificate.sig);
  demandForm(encodeBase64(bytes) === certificate.sig, 'the signature is not canonical base64');
  return bytes;
}
