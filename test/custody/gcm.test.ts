import { createCipheriv, createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { gcmDecrypt, gcmEncrypt } from '../../src/custody/gcm.ts';
import { InvariantViolation } from '../../src/lib/invariant.ts';
import { faultCode, random } from './custody-fixtures.ts';

const BYTES = Buffer.alloc(32, 7);
const KEY = createSecretKey(BYTES);
const NONCE = Buffer.from('101112131415161718191a1b', 'hex');
const AAD = Buffer.from('where it belongs');
const TEXT = Buffer.from('what it says');
const SEALED = gcmEncrypt(KEY, { nonce: NONCE, aad: AAD }, TEXT);

const flipAll = (bytes: Buffer): Buffer => Buffer.from(bytes.map((byte) => byte ^ 0xff));
const ciphertext = SEALED.subarray(0, TEXT.length);
const tag = SEALED.subarray(TEXT.length);

/** Sealed values that somebody who holds no key might offer, or somebody with the key made in another way. */
const REFUSED: readonly { readonly what: string; readonly sealed: Buffer; nonce?: Buffer; aad?: Buffer }[] = [
  { what: 'nothing at all', sealed: Buffer.alloc(0) },
  { what: 'a tag alone, cut to 15 bytes', sealed: tag.subarray(0, 15) },
  ...[4, 8, 12, 13, 14, 15].map((length) => {
    return { what: `a tag of ${length} bytes`, sealed: Buffer.concat([ciphertext, tag.subarray(0, length)]) };
  }),
  { what: 'a tag that was honestly made 4 bytes long', sealed: sealedWithTagOf(4) },
  { what: 'a tag that was honestly made 12 bytes long', sealed: sealedWithTagOf(12) },
  { what: 'a tag of zeros', sealed: Buffer.concat([ciphertext, Buffer.alloc(16)]) },
  { what: 'a tag of ones', sealed: Buffer.concat([ciphertext, Buffer.alloc(16, 0xff)]) },
  { what: 'a tag turned over', sealed: Buffer.concat([ciphertext, flipAll(tag)]) },
  { what: 'a tag before the ciphertext', sealed: Buffer.concat([tag, ciphertext]) },
  { what: 'a ciphertext cut short', sealed: Buffer.concat([ciphertext.subarray(1), tag]) },
  { what: 'a ciphertext with a byte more', sealed: Buffer.concat([ciphertext, Buffer.alloc(1), tag]) },
  { what: 'no ciphertext', sealed: tag },
  { what: 'another nonce', sealed: SEALED, nonce: flipAll(NONCE) },
  ...[0, 1, 8, 11, 13, 16].map((length) => {
    return { what: `a nonce of ${length} bytes`, sealed: SEALED, nonce: Buffer.alloc(length, 0x10) };
  }),
  { what: 'other associated data', sealed: SEALED, aad: Buffer.from('where it belonged') },
  { what: 'no associated data', sealed: SEALED, aad: Buffer.alloc(0) },
];

function sealedWithTagOf(authTagLength: number): Buffer {
  const cipher = createCipheriv('aes-256-gcm', KEY, NONCE, { authTagLength });
  cipher.setAAD(AAD);
  return Buffer.concat([cipher.update(TEXT), cipher.final(), cipher.getAuthTag()]);
}

describe('authenticated encryption', () => {
  it('opens what it sealed, down to an empty text', () => {
    expect(gcmDecrypt(KEY, { nonce: NONCE, aad: AAD }, SEALED)).toEqual(TEXT);
    const empty = gcmEncrypt(KEY, { nonce: NONCE, aad: AAD }, Buffer.alloc(0));
    expect(gcmDecrypt(KEY, { nonce: NONCE, aad: AAD }, empty)).toHaveLength(0);
  });

  it.each(REFUSED)('refuses $what', ({ sealed, nonce = NONCE, aad = AAD }) => {
    expect(faultCode(() => gcmDecrypt(KEY, { nonce, aad }, sealed))).toBe('KEY_STORAGE');
  });

  it('refuses another key', () => {
    const other = createSecretKey(random.bytes(32));
    expect(faultCode(() => gcmDecrypt(other, { nonce: NONCE, aad: AAD }, SEALED))).toBe('KEY_STORAGE');
  });

  it('never seals under a nonce of another length', () => {
    const seal = (): Buffer => gcmEncrypt(KEY, { nonce: Buffer.alloc(16), aad: AAD }, TEXT);
    expect(seal).toThrow(InvariantViolation);
  });
});
