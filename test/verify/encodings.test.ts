import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeBase64,
  decodeBase64url,
  decodePaddedBase64url,
  encodeBase64,
  encodeBase64url,
} from '../../src/verify/base64.ts';
import { equalBytes, utf8Bytes, utf8Text } from '../../src/verify/text.ts';

const malformed = expect.objectContaining({ code: 'MALFORMED' }) as Error;

describe('base64', () => {
  it('is written and read as Node does', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const buffer = Buffer.from(bytes);
        expect(encodeBase64(bytes)).toBe(buffer.toString('base64'));
        expect(encodeBase64url(bytes)).toBe(buffer.toString('base64url'));
        expect(Buffer.from(decodeBase64(buffer.toString('base64')))).toEqual(buffer);
        expect(Buffer.from(decodeBase64url(buffer.toString('base64url')))).toEqual(buffer);
        const padded = buffer.toString('base64').replaceAll('+', '-').replaceAll('/', '_');
        expect(Buffer.from(decodePaddedBase64url(padded))).toEqual(buffer);
      }),
    );
  });

  it('has one text for one value: whatever is read is written the same', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9+/]{1,12}={0,3}$/), (text) => {
        let bytes: Uint8Array;
        try {
          bytes = decodeBase64(text);
        } catch {
          expect(Buffer.from(text, 'base64').toString('base64')).not.toBe(text);
          return;
        }
        expect(encodeBase64(bytes)).toBe(text);
      }),
      { numRuns: 2000 },
    );
  });

  it.each([
    'A',
    'AA',
    'AAA',
    'AB==',
    'AAB=',
    'A===',
    '====',
    'AA=A',
    'AAAA=',
    'AA AA',
    'AAAA\n',
    'AA-_',
    'AAäA',
  ])('refuses %j', (text) => {
    expect(() => decodeBase64(text)).toThrow(malformed);
  });

  it.each(['A', 'AB', 'AAB', 'AA==', 'AA+/', 'AA A'])('refuses %j as base64url', (text) => {
    expect(() => decodeBase64url(text)).toThrow(malformed);
  });
});

describe('UTF-8', () => {
  it('is written and read as Node does', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 50 }), (text) => {
        expect(Buffer.from(utf8Bytes(text))).toEqual(Buffer.from(text, 'utf8'));
        expect(utf8Text(Buffer.from(text, 'utf8'))).toBe(text);
      }),
    );
  });

  it('writes an unpaired surrogate as Node does', () => {
    expect(Buffer.from(utf8Bytes('a\ud800b'))).toEqual(Buffer.from('a\ud800b', 'utf8'));
  });

  it('reads exactly what a strict decoder reads', () => {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    const attempt = (read: (bytes: Uint8Array) => string, bytes: Uint8Array): string => {
      try {
        return `read ${read(bytes)}`;
      } catch {
        return 'refused';
      }
    };
    const lead = fc.constantFrom(
      0x41,
      0x80,
      0xbf,
      0xc0,
      0xc1,
      0xc2,
      0xdf,
      0xe0,
      0xed,
      0xef,
      0xf0,
      0xf4,
      0xf5,
      0xff,
    );
    const byte = fc.oneof(lead, fc.nat(255));
    fc.assert(
      fc.property(fc.array(byte, { maxLength: 6 }), (list) => {
        const bytes = Uint8Array.from(list);
        expect(attempt(utf8Text, bytes)).toBe(attempt((input) => strict.decode(input), bytes));
      }),
      { numRuns: 5000 },
    );
  });
});

describe('equal bytes', () => {
  it.each([
    [[], [], true],
    [[1], [1], true],
    [[1], [2], false],
    [[1], [1, 0], false],
    [[1, 0], [1], false],
    [[0], [], false],
  ])('%j and %j: %s', (a, b, equal) => {
    expect(equalBytes(Uint8Array.from(a), Uint8Array.from(b))).toBe(equal);
  });
});
