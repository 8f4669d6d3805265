import type { KeyObject } from 'node:crypto';
import { Fault } from '../../faults.ts';
import type { Random } from '../../lib/random.ts';
import type { KeyAlgorithm, KeyPurpose } from '../custodian.ts';
import { gcmDecrypt, gcmEncrypt, NONCE_BYTES } from '../gcm.ts';
import type { Kek } from '../kek.ts';

/**
 * A key file: two lines, LF after each.
 *
 *     {"v":1,"kid":…,"purpose":…,"algorithm":…,"publicKey":base64 of the SPKI}      the header, in this order
 *     base64 of nonce(12) ‖ ciphertext ‖ tag(16)
 *
 * The ciphertext is the PKCS#8 of the private key under AES-256-GCM, key derived from the key-encryption key for this
 * kid; associated data = the bytes of the header line.
 */
export interface KeyFileHeader {
  readonly kid: string;
  readonly purpose: KeyPurpose;
  readonly algorithm: KeyAlgorithm;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer;
}

const placeOf = (kid: string): string => `key-file/${kid}`;

/** Seals a private key into the bytes of its file. @throws Fault SEALED */
export function sealKeyFile(
  header: KeyFileHeader,
  pkcs8: Buffer,
  by: { readonly kek: Kek; readonly random: Random },
): Buffer {
  const line = headerLine(header);
  const nonce = by.random.bytes(NONCE_BYTES);
  const aad = Buffer.from(line, 'utf8');
  const encrypted = gcmEncrypt(by.kek.sealingKey(placeOf(header.kid)), { nonce, aad }, pkcs8);
  return Buffer.from(`${line}\n${Buffer.concat([nonce, encrypted]).toString('base64')}\n`, 'utf8');
}

/**
 * Opens a key file that must have exactly this header: PKCS#8, DER. The caller wipes it.
 * @throws Fault KEY_STORAGE when it is damaged, of another key, or of another appliance; SEALED
 */
export function openKeyFile(bytes: Buffer, header: KeyFileHeader, kek: Kek): Buffer {
  const line = headerLine(header);
  const [first, second, rest, ...more] = bytes.toString('utf8').split('\n');
  const body = Buffer.from(second ?? '', 'base64');
  const exact = first === line && body.toString('base64') === second && rest === '' && more.length === 0;
  if (!exact || body.length < NONCE_BYTES) throw damaged(header);
  const nonce = body.subarray(0, NONCE_BYTES);
  const aad = Buffer.from(line, 'utf8');
  try {
    return kek.unseal(placeOf(header.kid), (key) =>
      gcmDecrypt(key, { nonce, aad }, body.subarray(NONCE_BYTES)),
    );
  } catch (cause) {
    if (cause instanceof Fault && cause.code === 'SEALED') throw cause;
    throw damaged(header, cause);
  }
}

/**
 * The bytes of a key file under the key-encryption key of today; undefined: they are.
 * @throws Fault KEY_STORAGE when neither it nor the one before opens them; SEALED
 */
export function resealKeyFile(
  kid: string,
  bytes: Buffer,
  by: { readonly kek: Kek; readonly random: Random },
): Buffer | undefined {
  const [line = '', body = ''] = bytes.toString('utf8').split('\n');
  const sealed = Buffer.from(body, 'base64');
  const parameters = { nonce: sealed.subarray(0, NONCE_BYTES), aad: Buffer.from(line, 'utf8') };
  const open = (key: KeyObject): Buffer => gcmDecrypt(key, parameters, sealed.subarray(NONCE_BYTES));
  const key = by.kek.sealingKey(placeOf(kid));
  try {
    open(key).fill(0);
    return undefined;
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
  }
  const pkcs8 = by.kek.unseal(placeOf(kid), open);
  const nonce = by.random.bytes(NONCE_BYTES);
  const encrypted = gcmEncrypt(key, { nonce, aad: parameters.aad }, pkcs8);
  pkcs8.fill(0);
  return Buffer.from(`${line}\n${Buffer.concat([nonce, encrypted]).toString('base64')}\n`, 'utf8');
}

function headerLine({ kid, purpose, algorithm, publicKey }: KeyFileHeader): string {
  return JSON.stringify({ v: 1, kid, purpose, algorithm, publicKey: publicKey.toString('base64') });
}

function damaged({ kid }: KeyFileHeader, cause?: unknown): Fault {
  return new Fault(
    'KEY_STORAGE',
    `key file ${kid}.key is damaged, or belongs to another key or appliance; restore it from a backup`,
    { cause },
  );
}
