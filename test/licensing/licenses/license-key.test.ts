import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { systemRandom } from '../../../src/lib/random.ts';
import { gradeLicenseKey, isWeakGuess } from '../../../src/licensing/licenses/license-key-strength.ts';
import {
  canonicalLicenseKey,
  generateLicenseKey,
  importedLicenseKey,
  isGeneratedLicenseKey,
  licenseKeyForms,
  maskLicenseKey,
} from '../../../src/licensing/licenses/license-key.ts';
import { canonicalLicenseKey as canonicalInVerify } from '../../../src/verify/index.ts';

/** The server's reading and the verify library's, which share no code. */
const READINGS = [
  ['the server', canonicalLicenseKey],
  ['the verify library', canonicalInVerify],
] as const;

describe('a generated licence key', () => {
  it('is a prefix and four groups of four, 80 random bits', () => {
    const bytes = Buffer.from('00443214c74254b635cf', 'hex');
    expect(generateLicenseKey('ACME', { bytes: () => bytes })).toBe('ACME-0123-4567-89AB-CDEF');
    expect(generateLicenseKey('LIC', systemRandom)).toMatch(/^LIC(-[0-9A-HJKMNP-TV-Z]{4}){4}$/);
  });

  it('asks for ten bytes', () => {
    const asked: number[] = [];
    generateLicenseKey('LIC', {
      bytes(length) {
        asked.push(length);
        return Buffer.alloc(length);
      },
    });
    expect(asked).toEqual([10]);
  });

  it('is canonical already', () => {
    for (let i = 0; i < 200; i++) {
      const key = generateLicenseKey('ACME', systemRandom);
      expect(canonicalLicenseKey(key)).toBe(key);
      expect(isGeneratedLicenseKey(key)).toBe(true);
    }
  });
});

describe.each(READINGS)('a typed key as read by %s', (_name, canonical) => {
  it.each([
    ['lower case', 'acme-7k3m-9qxr-2tvb-h8k2', 'ACME-7K3M-9QXR-2TVB-H8K2'],
    ['no dashes', 'ACME7K3M9QXR2TVBH8K2', 'ACME-7K3M-9QXR-2TVB-H8K2'],
    ['spaces and line ends', ' ACME 7K3M\t9QXR\n2TVB H8K2 ', 'ACME-7K3M-9QXR-2TVB-H8K2'],
    ['I, L and O in the groups', 'ACME-IL0O-0000-0000-000i', 'ACME-1100-0000-0000-0001'],
    ['I, L and O in the prefix, kept', 'OIL-0000-0000-0000-0001', 'OIL-0000-0000-0000-0001'],
    ['a prefix of ten', 'ABCDEFGHIJ0000000000000001', 'ABCDEFGHIJ-0000-0000-0000-0001'],
  ])('reads %s', (_what, typed, key) => {
    expect(canonical(typed)).toBe(key);
  });

  it.each([
    ['a U in the groups', 'ACME-UUUU-0000-0000-0001'],
    ['a digit in the prefix', 'AC1E-0000-0000-0000-0001'],
    ['a prefix of one', 'A-0000-0000-0000-0001'],
    ['a prefix of eleven', 'ABCDEFGHIJK-0000-0000-0000-0001'],
    ['another shape', 'key/eyJh.c2ln'],
    ['too few characters', 'ACME-0000-0000-0000'],
  ])('leaves an imported key as it is: %s', (_what, key) => {
    expect(canonical(` ${key} `)).toBe(key);
  });

  it('brings an imported key to NFC', () => {
    expect(canonical('schlu\u0308ssel-nummer')).toBe('schl\u00fcssel-nummer');
  });
});

describe('the two readings of a typed key', () => {
  it('agree on everything', () => {
    const typed = fc.oneof(
      fc.string({ unit: 'grapheme', maxLength: 40 }),
      fc.stringMatching(/^[A-Za-z]{0,11}[-0-9A-Za-z ]{14,20}$/),
    );
    fc.assert(
      fc.property(typed, (text) => {
        expect(canonicalInVerify(text)).toBe(canonicalLicenseKey(text));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('the forms a typed key may be stored in', () => {
  it('are one for a generated key in canonical form and for an imported one', () => {
    expect(licenseKeyForms('ACME-7K3M-9QXR-2TVB-H8K2')).toEqual(['ACME-7K3M-9QXR-2TVB-H8K2']);
    expect(licenseKeyForms(' serial 4711 ')).toEqual(['serial 4711']);
  });

  it('are two when an imported key could read like one of ours', () => {
    expect(licenseKeyForms('acme-7k3m-9qxr-2tvb-h8k2')).toEqual([
      'ACME-7K3M-9QXR-2TVB-H8K2',
      'acme-7k3m-9qxr-2tvb-h8k2',
    ]);
  });
});

describe('an imported key', () => {
  it('is kept exactly, in NFC and trimmed', () => {
    expect(importedLicenseKey('  Serial-47u\u0308 ')).toBe('Serial-47\u00fc');
  });

  it.each([
    ['seven characters', '1234567'],
    ['257 characters', 'x'.repeat(257)],
    ['a line end inside', '1234\n5678'],
    ['an invisible character', '1234\u200b5678'],
    ['white space alone', ' '.repeat(20)],
  ])('is refused with %s', (_what, key) => {
    expect(() => importedLicenseKey(key)).toThrow(expect.objectContaining({ code: 'VALIDATION_FAILED' }));
  });

  it('may have 8 and 256 characters', () => {
    expect(importedLicenseKey('12345678')).toBe('12345678');
    expect(importedLicenseKey('x'.repeat(256))).toHaveLength(256);
  });
});

describe('a masked key', () => {
  it('shows the prefix and the last group of a generated key', () => {
    expect(maskLicenseKey('ACME-7K3M-9QXR-2TVB-H8K2')).toBe('ACME-••••-••••-••••-H8K2');
  });

  it('shows four characters of a long imported key and none of a short one', () => {
    expect(maskLicenseKey('4F5D3B-0FB8B2-6871BC')).toBe('••••71BC');
    expect(maskLicenseKey('serial-471')).toBe('••••');
  });
});

describe('the grade of an imported key', () => {
  it.each([
    'password12345678',
    '12345678901234567890',
    'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
    'abcabcabcabcabcabcabcabcabcabc',
    'LICENSE-2024-CUSTOMER-0001',
    '4711-0815-4711-0815-4711-0815',
    'AcmeEnterprise2025',
    'abcdefghijklmnopqrstuvwxyz',
    '8F3K2M9Q',
    '123456789012',
    'test-test-test-test-test-test',
  ])('is weak: %s', (key) => {
    expect(gradeLicenseKey(key)).toMatchObject({ weak: true });
  });

  it.each([
    'f81d4fae-7dec-11d0-a765-00a0c91e6bf6',
    '4F5D3B-0FB8B2-6871BC-5D3EB3-4885B7-V3',
    'Xk7pQ2mV9tRw4ZsB',
    'B2A9-77C1-E04F-3D58-96AB',
    'ACME-7K3M-9QXR-2TVB-H8K2',
  ])('is good: %s', (key) => {
    expect(gradeLicenseKey(key)).toMatchObject({ weak: false });
  });

  it('finds every generated key good', () => {
    const grades = Array.from({ length: 500 }, () =>
      gradeLicenseKey(generateLicenseKey('LIC', systemRandom)),
    );
    expect(grades.filter(({ weak }) => weak)).toEqual([]);
  });

  it('makes a guess a weak one in whatever form it is typed', () => {
    const guesses = ['SERIAL-0001', '  password12345678 ', 'demo 0000 0000 0000 0000', 'x'];
    expect(guesses.filter(isWeakGuess)).toEqual(guesses);
    const good = [
      'acme 7k3m 9qxr 2tvb h8k2',
      'f81d4fae-7dec-11d0-a765-00a0c91e6bf6',
      'ACME-7K3M-9QXR-2TVB-H8K',
    ];
    expect(good.filter(isWeakGuess)).toEqual([]);
  });

  it('does not count separators', () => {
    expect(gradeLicenseKey('8F-3K-2M-9Q').bits).toBe(gradeLicenseKey('8F3K2M9Q').bits);
  });
});
