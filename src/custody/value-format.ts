import type { KeyObject } from 'node:crypto';
import { Fault } from '../faults.ts';
import { invariant } from '../lib/invariant.ts';
import { gcmDecrypt, gcmEncrypt, NONCE_BYTES, TAG_BYTES } from './gcm.ts';
import type { Cell } from './sealer.ts';

/**
 * A sealed value:
 *
 *     version(1) ‖ key version(2, big-endian) ‖ nonce(12) ‖ ciphertext ‖ tag(16)
 *
 * AES-256-GCM; associated data = for each of (format version, realm, table, column, row id): length(4, big-endian) ‖
 * UTF-8. Numbers are written in decimal there.
 */
const FORMAT_VERSION = 1;
const KEY_VERSION_AT = 1;
const NONCE_AT = 3;
const CIPHERTEXT_AT = NONCE_AT + NONCE_BYTES;
/** The key version is stored in two bytes. */
export const MAX_KEY_VERSION = 0xffff;
/** How much longer a sealed value is than its plaintext. */
export const SEALED_OVERHEAD = CIPHERTEXT_AT + TAG_BYTES;

/** A data key with its version. */
export interface VersionedKey {
  readonly version: number;
  readonly key: KeyObject;
}

/** Seals a value for one cell. `nonce` is 12 fresh random bytes. */
export function sealValue(data: VersionedKey, at: { cell: Cell; nonce: Buffer }, plaintext: Buffer): Buffer {
  invariant(data.version > 0 && data.version <= MAX_KEY_VERSION, 'a key version fits into two bytes');
  const encrypted = gcmEncrypt(data.key, { nonce: at.nonce, aad: associatedData(at.cell) }, plaintext);
  const sealed = Buffer.allocUnsafe(CIPHERTEXT_AT + encrypted.length);
  sealed[0] = FORMAT_VERSION;
  sealed.writeUInt16BE(data.version, KEY_VERSION_AT);
  at.nonce.copy(sealed, NONCE_AT);
  encrypted.copy(sealed, CIPHERTEXT_AT);
  return sealed;
}

/**
 * The version of the data key a value is sealed under.
 * @throws Fault KEY_STORAGE when it is not a sealed value
 */
export function keyVersionOf(sealed: Buffer): number {
  if (sealed.length < SEALED_OVERHEAD || sealed[0] !== FORMAT_VERSION) {
    throw new Fault(
      'KEY_STORAGE',
      'a stored value is not in the sealed form of this version; restore it from a backup',
    );
  }
  return sealed.readUInt16BE(KEY_VERSION_AT);
}

/**
 * Opens a value of one cell. Its key version must have been looked up with {@link keyVersionOf}.
 * @throws Fault KEY_STORAGE when it is damaged or belongs to another cell
 */
export function openValue(data: VersionedKey, cell: Cell, sealed: Buffer): Buffer {
  invariant(keyVersionOf(sealed) === data.version, 'a value is opened with the key it names');
  const nonce = sealed.subarray(NONCE_AT, CIPHERTEXT_AT);
  return gcmDecrypt(data.key, { nonce, aad: associatedData(cell) }, sealed.subarray(CIPHERTEXT_AT));
}

/** Lengths come first, so that no two cells have the same associated data. */
function associatedData({ realm, table, column, row }: Cell): Buffer {
  const parts = [String(FORMAT_VERSION), String(realm), table, column, row];
  let length = 0;
  for (const part of parts) length += 4 + Buffer.byteLength(part);
  const aad = Buffer.allocUnsafe(length);
  let at = 0;
  for (const part of parts) {
    const written = aad.write(part, at + 4);
    aad.writeUInt32BE(written, at);
    at += 4 + written;
  }
  return aad;
}
