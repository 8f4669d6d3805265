import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { assertRawSignature, SIGNATURE_ALGORITHMS } from '../../src/issuing/signature-algorithm.ts';

/** A half of a raw signature: these bytes at its end, zeros before them. */
const half = (...tail: number[]): Buffer =>
  Buffer.concat([Buffer.alloc(32 - tail.length), Buffer.from(tail)]);
const der = (r: Buffer, s: Buffer): string =>
  SIGNATURE_ALGORITHMS.ES256.certificateSignature(Buffer.concat([r, s])).toString('hex');

describe('a P-256 signature in a certificate', () => {
  it.each([
    ['leaves out leading zeros', half(1), half(2), '3006020101020102'],
    ['keeps one byte of nothing', half(), half(0), '3006020100020100'],
    ['keeps the last zero of a number', half(1, 0), half(2), '300702020100020102'],
    ['puts a zero before a set top bit', half(0x80), half(0xff), '300802020080020200ff'],
    ['puts none before a bit that is not set', half(0x7f), half(0x7f, 0xff), '300702017f02027fff'],
  ])('%s (X.690 §8.3)', (...[, r, s, expected]) => {
    expect(der(r, s)).toBe(expected);
  });

  it('is what OpenSSL reads, whatever its numbers are', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    for (let i = 0; i < 300; i++) {
      const message = Buffer.from(`message ${String(i)}`);
      const raw = sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      const encoded = SIGNATURE_ALGORITHMS.ES256.certificateSignature(raw);
      expect(verify('sha256', message, { key: publicKey, dsaEncoding: 'der' }, encoded)).toBe(true);
    }
  });
});

describe('an Ed25519 signature in a certificate', () => {
  it('is the raw one', () => {
    const raw = Buffer.from(Array.from({ length: 64 }, (_, i) => i));
    expect(SIGNATURE_ALGORITHMS.EdDSA.certificateSignature(raw)).toEqual(raw);
  });
});

describe('raw signatures', () => {
  it.each([0, 63, 65, 72])('of %d bytes are refused', (bytes) => {
    expect(() => assertRawSignature(Buffer.alloc(bytes))).toThrow('raw signatures of 64 bytes');
  });

  it('have 64 bytes', () => {
    expect(() => assertRawSignature(Buffer.alloc(64))).not.toThrow();
  });
});
