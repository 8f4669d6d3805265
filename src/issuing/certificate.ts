import { createCipheriv, createHash } from 'node:crypto';
import { Fault } from '../faults.ts';
import { invariant } from '../lib/invariant.ts';
import type { Secret } from '../lib/secret.ts';
import { SIGNATURE_ALGORITHMS, assertRawSignature, type SigningKeyRef } from './signature-algorithm.ts';

/**
 * Which of the two certificates it is. The kind decides the armour and the prefix of the signed bytes, so that a
 * licence file can never pass for a machine file.
 */
export type CertificateKind = 'license' | 'machine';

/**
 * How the dataset travels. Encrypted: the reader must know the licence key, which therefore stands in the file in full.
 * Plain: anyone can read it, so the key appears masked.
 */
export type FileProtection =
  | { readonly mode: 'encrypted'; readonly licenseKey: Secret; readonly iv: Buffer }
  | { readonly mode: 'plain'; readonly maskedKey: string };

/** A file that lacks nothing but its signature. Pure data: dropping it leaves no trace. */
export interface PreparedFile {
  /** The exact bytes to sign, unhashed (pure Ed25519, RFC 8032 §5.1; SHA-256 inside ECDSA). */
  readonly signingInput: Buffer;
  /**
   * The whole SHA-256 of `enc`, or of the signed text of a token or key: what the ledger records, and by its first 16 bytes
   * what a revocation list affirms.
   */
  readonly encDigest: Buffer;
  /** The value of `alg` in the certificate, e.g. `aes-256-gcm+ed25519`; `EdDSA` for a token, `ed25519` for a key. */
  readonly algorithm: string;
  /** The finished file text from the raw 64 signature bytes. */
  finish(signature: Uint8Array): string;
}

/** What {@link prepareCertificate} puts together. */
export interface CertificateInput {
  readonly kind: CertificateKind;
  /** The JSON:API document as it will be read, before encryption. */
  readonly dataset: unknown;
  readonly protection: FileProtection;
  /** The machine's fingerprint; part of the content key of a machine file, absent for a licence file. */
  readonly fingerprint?: string;
  readonly signingKey: SigningKeyRef;
}

/** HSMs cap the message of a pure EdDSA signature, usually at 16 KB. */
const MAX_ENC_BYTES = 15_000;

const IV_BYTES = 12;
const TAG_BYTES = 16;
const ARMOUR_LINE = 60;

const ARMOUR = { license: 'LICENSE FILE', machine: 'MACHINE FILE' } as const satisfies Record<
  CertificateKind,
  string
>;

/**
 * Encodes, and unless plain encrypts, a dataset and says what to sign:
 *
 *     enc  = b64(AES-256-GCM(dataset)) "." b64(iv) "." b64(tag)      or b64(dataset)
 *     sig  = b64(sign("license/" enc))                               or "machine/" enc
 *     CERT = {"enc":…,"sig":…,"alg":…,"kid":…}                       in this order
 *     file = armour, b64(CERT) in lines of 60, armour; LF only
 *
 * @throws Fault FILE_TOO_LARGE when `enc` is longer than 15 000 bytes
 */
export function prepareCertificate(input: CertificateInput): PreparedFile {
  const { kind, signingKey, protection } = input;
  const dataset = Buffer.from(JSON.stringify(input.dataset), 'utf8');
  const enc = encode(dataset, protection, input.fingerprint ?? '');
  requireSignable(enc.length);
  const row = SIGNATURE_ALGORITHMS[signingKey.algorithm];
  const cipher = protection.mode === 'encrypted' ? 'aes-256-gcm' : 'base64';
  const algorithm = `${cipher}+${row.certificateSuffix}`;
  return {
    signingInput: Buffer.from(`${kind}/${enc}`, 'ascii'),
    encDigest: createHash('sha256').update(enc, 'ascii').digest(),
    algorithm,
    finish(signature) {
      assertRawSignature(signature);
      const sig = row.certificateSignature(signature).toString('base64');
      return armour(kind, JSON.stringify({ enc, sig, alg: algorithm, kid: signingKey.kid }));
    },
  };
}

function encode(dataset: Buffer, protection: FileProtection, fingerprint: string): string {
  if (protection.mode === 'plain') return dataset.toString('base64');
  invariant(protection.iv.length === IV_BYTES, 'the iv of AES-GCM is 12 bytes');
  const key = contentKey(protection.licenseKey, fingerprint);
  const cipher = createCipheriv('aes-256-gcm', key, protection.iv, { authTagLength: TAG_BYTES });
  const ciphertext = Buffer.concat([cipher.update(dataset), cipher.final()]);
  key.fill(0);
  return [ciphertext, protection.iv, cipher.getAuthTag()].map((part) => part.toString('base64')).join('.');
}

/** SHA-256(licence key ‖ fingerprint): fixed by the format, so that every existing reader can derive it. */
function contentKey(licenseKey: Secret, fingerprint: string): Buffer {
  return createHash('sha256').update(licenseKey.expose(), 'utf8').update(fingerprint, 'utf8').digest();
}

/** Whether every custodian can sign so many bytes. @throws Fault FILE_TOO_LARGE */
export function requireSignable(bytes: number): void {
  if (bytes <= MAX_ENC_BYTES) return;
  const message = `the file would carry ${bytes.toString()} bytes of content, at most ${MAX_ENC_BYTES.toString()} are allowed; shorten metadata or attach fewer entitlements`;
  throw new Fault('FILE_TOO_LARGE', message);
}

function armour(kind: CertificateKind, certificate: string): string {
  const base64 = Buffer.from(certificate, 'utf8').toString('base64');
  const lines: string[] = [];
  for (let at = 0; at < base64.length; at += ARMOUR_LINE) lines.push(base64.slice(at, at + ARMOUR_LINE));
  return [`-----BEGIN ${ARMOUR[kind]}-----`, ...lines, `-----END ${ARMOUR[kind]}-----`, ''].join('\n');
}
