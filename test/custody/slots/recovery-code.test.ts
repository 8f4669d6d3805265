import { describe, expect, it } from 'vitest';
import {
  formatRecoveryCode,
  generateRecoveryCode,
  parseRecoveryCode,
} from '../../../src/custody/slots/recovery-code.ts';
import { CROCKFORD } from '../../../src/lib/base32.ts';
import { Secret } from '../../../src/lib/secret.ts';
import { faultCode, random } from '../custody-fixtures.ts';

const KEY = Buffer.from(Array.from({ length: 32 }, (_, at) => (at * 37 + 11) & 0xff));
const CODE = formatRecoveryCode(KEY);
const parse = (code: string): Buffer => parseRecoveryCode(new Secret(code));
const CHARACTERS = CODE.length;

describe('a recovery code', () => {
  it('is 13 groups of 5 and gives back its 32 bytes', () => {
    expect(CODE).toMatch(/^[0-9A-HJKMNP-TV-Z]{5}(-[0-9A-HJKMNP-TV-Z]{5}){12}$/);
    expect(parse(CODE)).toEqual(KEY);
    for (let round = 0; round < 200; round++) {
      const key = random.bytes(32);
      expect(parse(formatRecoveryCode(key))).toEqual(key);
    }
  });

  it('is the one of docs/custody.md for the bytes 00 to 1f', () => {
    const counted = Buffer.from(Array.from({ length: 32 }, (_, at) => at));
    expect(formatRecoveryCode(counted)).toBe(
      '000GZ-40R4V-0M30J-E209S-185G5-R38ES-1W81P-24GKR-2GAH8-C5RRR-34D1W-P70XP-3RFGG',
    );
  });

  it('is new each time', () => {
    const codes = Array.from({ length: 50 }, () => generateRecoveryCode(random).expose());
    expect(new Set(codes).size).toBe(50);
  });

  it('may be typed in small letters, without dashes, with spaces, with I, L and O for 1 and 0', () => {
    const sloppy = CODE.toLowerCase().replaceAll('-', ' ').replaceAll('1', 'l').replaceAll('0', 'o');
    expect(parse(`  ${sloppy} `)).toEqual(KEY);
    expect(parse(CODE.replaceAll('-', '').replaceAll('1', 'I'))).toEqual(KEY);
  });

  it('names the group of every single wrong character', () => {
    for (let at = 0; at < CHARACTERS; at++) {
      if (CODE.charAt(at) === '-') continue;
      for (const wrong of CROCKFORD) {
        if (wrong === CODE.charAt(at)) continue;
        const typed = CODE.slice(0, at) + wrong + CODE.slice(at + 1);
        expect(() => parse(typed)).toThrow(`group ${Math.floor(at / 6) + 1} of the recovery code`);
      }
    }
  });

  it('refuses two groups in the wrong order', () => {
    const groups = CODE.split('-');
    const [first, second, ...rest] = groups;
    expect(faultCode(() => parse([second, first, ...rest].join('-')))).toBe('SLOT_SECRET_WRONG');
  });

  it.each([
    ['a group too few', CODE.slice(6)],
    ['a character too many', `${CODE}0`],
    ['nothing', ''],
    ['a letter that is in no code', CODE.replace(/^./, 'U')],
  ])('refuses %s', (_, typed) => {
    expect(faultCode(() => parse(typed))).toBe('SLOT_SECRET_WRONG');
  });
});
