import { createHash } from 'node:crypto';
import { createCipheriv } from 'node:crypto';
import type { CertificateKind } from '../../src/issuing/certificate.ts';
import { KEYS, LICENSE_KEY } from './samples.ts';
import type { Signer } from './signers.ts';

// Makes what our encoders never would: files that are wrong in one place and right, signature included, in all others.

/** The four members of a certificate, in their order. */
export interface Members {
  readonly enc: string;
  readonly sig: string;
  readonly alg: string;
  readonly kid: string;
}

/** The certificate in a file text. */
export function membersOf(file: string): Members {
  return JSON.parse(certificateOf(file)) as Members; // made by our own encoder
}

/** The text of the certificate in a file text. */
export function certificateOf(file: string): string {
  return Buffer.from(file.split('\n').slice(1, -2).join(''), 'base64').toString('utf8');
}

const LABELS = { license: 'LICENSE FILE', machine: 'MACHINE FILE' } as const;

/** Puts any text into armour. */
export function armoured(kind: CertificateKind, certificate: string, lineLength = 60): string {
  const base64 = Buffer.from(certificate, 'utf8').toString('base64');
  return framed(kind, base64, lineLength);
}

/** Puts any base64 text into armour. */
export function framed(kind: CertificateKind, base64: string, lineLength = 60): string {
  const lines = base64.match(new RegExp(`.{1,${lineLength.toString()}}`, 'g')) ?? [];
  return [`-----BEGIN ${LABELS[kind]}-----`, ...lines, `-----END ${LABELS[kind]}-----`, ''].join('\n');
}

/** Puts members into a file, any of them, in the order given. */
export function fileOf(kind: CertificateKind, members: object): string {
  return armoured(kind, JSON.stringify(members));
}

/** What to sign and how. */
export interface Forgery {
  readonly kind: CertificateKind;
  /** Prefix of the signed bytes, when it is not that of the kind. */
  readonly prefix?: string;
  readonly alg?: string;
  readonly signer?: Signer;
  readonly kid?: string;
}

/** A file with any `enc`, signed correctly over whatever it is. */
export function signedFile(enc: string, forgery: Forgery): string {
  const signer = forgery.signer ?? KEYS.license;
  const sig = signer.sign(Buffer.from(`${forgery.prefix ?? forgery.kind}/${enc}`)).toString('base64');
  const alg = forgery.alg ?? 'base64+ed25519';
  return fileOf(forgery.kind, { enc, sig, alg, kid: forgery.kid ?? signer.ref.kid });
}

/** A plain file with any dataset text, signed correctly. */
export function plainFile(dataset: string, forgery: Forgery): string {
  return signedFile(Buffer.from(dataset, 'utf8').toString('base64'), forgery);
}

/** The dataset text of a plain file. */
export function datasetOf(plain: string): string {
  return Buffer.from(membersOf(plain).enc, 'base64').toString('utf8');
}

/** `enc` under the sample licence key with a tag cut to `tagBytes`. */
export function encWithShortTag(dataset: string, tagBytes: number): string {
  const key = createHash('sha256').update(LICENSE_KEY, 'utf8').digest();
  const iv = Buffer.alloc(12, 9);
  const cipher = createCipheriv('aes-256-gcm', key, iv, { authTagLength: 16 });
  const ciphertext = Buffer.concat([cipher.update(dataset, 'utf8'), cipher.final()]);
  const parts = [ciphertext, iv, cipher.getAuthTag().subarray(0, tagBytes)];
  return parts.map((part) => part.toString('base64')).join('.');
}

/** Order of the base point of Ed25519. */
const L = 2n ** 252n + 27742317777372353535851937790883648493n;

/** The same signature with S + L: equal for a verifier that forgets to bound S (RFC 8032 §5.1.7). */
export function withLargerS(signature: Buffer): Buffer {
  const s = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + L;
  const bytes = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse();
  return Buffer.concat([signature.subarray(0, 32), bytes]);
}
