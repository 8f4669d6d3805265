import { createSecretKey } from 'node:crypto';
import { gcm } from '@noble/ciphers/aes.js';
import { describe, expect, it } from 'vitest';
import type { Cell } from '../../src/custody/sealer.ts';
import { keyVersionOf, openValue, SEALED_OVERHEAD, sealValue } from '../../src/custody/value-format.ts';
import { realmIdOf } from '../../src/storage/realm-scope.ts';
import { faultCode, flipBit, random } from './custody-fixtures.ts';

const CELL: Cell = { realm: realmIdOf(12), table: 'licenses', column: 'personal', row: 'lic_01' };
const TEXT = Buffer.from('{"name":"Grete Müller"}', 'utf8');
const BYTES = random.bytes(32);
const DATA = { version: 258, key: createSecretKey(BYTES) };
const NONCE = random.bytes(12);
const SEALED = sealValue(DATA, { cell: CELL, nonce: NONCE }, TEXT);

/** The associated data written out by hand, from docs/custody.md alone. */
function associatedData(parts: readonly string[]): Buffer {
  return Buffer.concat(
    parts.flatMap((part) => {
      const bytes = Buffer.from(part, 'utf8');
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );
}

const AAD = associatedData(['1', '12', 'licenses', 'personal', 'lic_01']);
const transplants: readonly [string, Cell][] = [
  ['another realm', { ...CELL, realm: realmIdOf(13) }],
  ['another table', { ...CELL, table: 'machines' }],
  ['another column', { ...CELL, column: 'key_sealed' }],
  ['another row', { ...CELL, row: 'lic_02' }],
  ['a table and column split elsewhere', { ...CELL, table: 'licensesp', column: 'ersonal' }],
  ['a column and row split elsewhere', { ...CELL, column: 'personall', row: 'ic_01' }],
  ['a realm and table split elsewhere', { ...CELL, realm: realmIdOf(1), table: '2licenses' }],
  ['table and column changed round', { ...CELL, table: CELL.column, column: CELL.table }],
  ['a row with a zero byte behind', { ...CELL, row: 'lic_01\u0000' }],
];

describe('a sealed value', () => {
  it('is version, key version, nonce, ciphertext and tag', () => {
    expect(SEALED.subarray(0, 3)).toEqual(Buffer.of(1, 1, 2));
    expect(SEALED.subarray(3, 15)).toEqual(NONCE);
    expect(SEALED).toHaveLength(TEXT.length + SEALED_OVERHEAD);
    expect(keyVersionOf(SEALED)).toBe(258);
    expect(openValue(DATA, CELL, SEALED)).toEqual(TEXT);
  });

  it('is opened and made by a second implementation in the same way', () => {
    const other = gcm(BYTES, NONCE, AAD);
    expect(Buffer.from(other.decrypt(SEALED.subarray(15)))).toEqual(TEXT);
    const theirs = Buffer.concat([SEALED.subarray(0, 15), gcm(BYTES, NONCE, AAD).encrypt(TEXT)]);
    expect(theirs).toEqual(SEALED);
  });

  it('names cells beyond ASCII by their UTF-8 bytes', () => {
    const cell = { ...CELL, row: 'größe_☃' };
    const sealed = sealValue(DATA, { cell, nonce: NONCE }, TEXT);
    const aad = associatedData(['1', '12', 'licenses', 'personal', 'größe_☃']);
    expect(Buffer.from(gcm(BYTES, NONCE, aad).decrypt(sealed.subarray(15)))).toEqual(TEXT);
  });

  it('refuses every single-bit flip', () => {
    const accepted: number[] = [];
    for (let bit = 0; bit < SEALED.length * 8; bit++) {
      const flipped = flipBit(SEALED, bit);
      const open = (): Buffer => openValue({ ...DATA, version: keyVersionOf(flipped) }, CELL, flipped);
      // A flip in the key version names another key; which the realm has not, or which does not open it.
      const another = bit >= 8 && bit < 24;
      const code = another ? faultCode(() => otherKeyOpens(flipped)) : faultCode(open);
      if (code !== 'KEY_STORAGE') accepted.push(bit);
    }
    expect(accepted).toEqual([]);
  });

  it.each(transplants)('refuses %s', (_, cell) => {
    expect(faultCode(() => openValue(DATA, cell, SEALED))).toBe('KEY_STORAGE');
  });

  it('refuses every truncation', () => {
    for (let length = 0; length < SEALED.length; length++) {
      const cut = SEALED.subarray(0, length);
      expect(faultCode(() => (keyVersionOf(cut), openValue(DATA, CELL, cut)))).toBe('KEY_STORAGE');
    }
  });

  it('refuses bytes appended', () => {
    const longer = Buffer.concat([SEALED, Buffer.alloc(1)]);
    expect(faultCode(() => openValue(DATA, CELL, longer))).toBe('KEY_STORAGE');
  });
});

function otherKeyOpens(sealed: Buffer): Buffer {
  return openValue({ version: keyVersionOf(sealed), key: createSecretKey(random.bytes(32)) }, CELL, sealed);
}
