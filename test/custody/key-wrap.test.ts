import { aeskw } from '@noble/ciphers/aes.js';
import { describe, expect, it } from 'vitest';
import { unwrapKey, wrapKey } from '../../src/custody/key-wrap.ts';
import { faultCode, flipBit, random } from './custody-fixtures.ts';

describe('key wrap', () => {
  it('gives the answer of RFC 3394 §4.6', () => {
    const wrappingKey = Buffer.from(
      '000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F',
      'hex',
    );
    const key = Buffer.from('00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F', 'hex');
    const wrapped = wrapKey(wrappingKey, key);
    expect(wrapped.toString('hex').toUpperCase()).toBe(
      '28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21',
    );
    expect(unwrapKey(wrappingKey, wrapped)).toEqual(key);
  });

  it('agrees with a second implementation in both directions', () => {
    for (let round = 0; round < 50; round++) {
      const [wrappingKey, key] = [random.bytes(32), random.bytes(32)];
      const wrapped = wrapKey(wrappingKey, key);
      expect(Buffer.from(aeskw(wrappingKey).encrypt(key))).toEqual(wrapped);
      expect(Buffer.from(aeskw(wrappingKey).decrypt(wrapped))).toEqual(key);
    }
  });

  it('refuses every single-bit flip', () => {
    const wrappingKey = random.bytes(32);
    const wrapped = wrapKey(wrappingKey, random.bytes(32));
    for (let bit = 0; bit < wrapped.length * 8; bit++) {
      expect(faultCode(() => unwrapKey(wrappingKey, flipBit(wrapped, bit)))).toBe('KEY_STORAGE');
    }
  });

  it('refuses another wrapping key and every other length', () => {
    const wrappingKey = random.bytes(32);
    const wrapped = wrapKey(wrappingKey, random.bytes(32));
    expect(faultCode(() => unwrapKey(random.bytes(32), wrapped))).toBe('KEY_STORAGE');
    for (let length = 0; length < wrapped.length; length++) {
      expect(faultCode(() => unwrapKey(wrappingKey, wrapped.subarray(0, length)))).toBe('KEY_STORAGE');
    }
    const longer = Buffer.from(aeskw(wrappingKey).encrypt(random.bytes(40)));
    expect(faultCode(() => unwrapKey(wrappingKey, longer))).toBe('KEY_STORAGE');
  });
});
