import { Fault } from '../../faults.ts';
import { CROCKFORD, encodeBase32 } from '../../lib/base32.ts';
import type { Random } from '../../lib/random.ts';
import { Secret } from '../../lib/secret.ts';
import { KEY_BYTES } from '../key-wrap.ts';

/**
 * A recovery code: 256 random bits as 52 Crockford characters, in 13 groups of 4 with a check character each:
 *
 *     XXXXC-XXXXC-…-XXXXC
 *
 * The check finds every single wrong character, nearly every swap of neighbours, and groups in the wrong place; the
 * last character of the code carries one bit, the rest of it zeros.
 */
const GROUP_CHARACTERS = 4;
const CHECKED_CHARACTERS = GROUP_CHARACTERS + 1;

/** A new recovery code. It is printed once and typed back; nothing keeps it. */
export function generateRecoveryCode(random: Random): Secret {
  const key = random.bytes(KEY_BYTES);
  const code = formatRecoveryCode(key);
  key.fill(0);
  return new Secret(code);
}

/** The code of 32 bytes. */
export function formatRecoveryCode(key: Buffer): string {
  return formatGroups(key);
}

/** Bytes in groups of four characters, with a check character behind each. */
export function formatGroups(bytes: Buffer): string {
  const text = encodeBase32(bytes);
  const groups = Array.from({ length: groupsOf(bytes.length) }, (_, at) => {
    const group = text.slice(at * GROUP_CHARACTERS, (at + 1) * GROUP_CHARACTERS);
    return group + checkCharacter(group, at);
  });
  return groups.join('-');
}

/**
 * The 32 bytes of a code as somebody typed it: case, spaces and dashes do not count, I and L are read as 1, O as 0.
 * @throws Fault SLOT_SECRET_WRONG naming the first group with a mistake
 */
export function parseRecoveryCode(code: Secret): Buffer {
  return parseGroups(code, { bytes: KEY_BYTES, what: 'recovery code' });
}

/** As {@link parseRecoveryCode}, of other lengths. @param of.what in a sentence: `recovery code` */
export function parseGroups(code: Secret, of: { readonly bytes: number; readonly what: string }): Buffer {
  const groups = groupsOf(of.bytes);
  const typed = code
    .expose()
    .toUpperCase()
    .replaceAll(/[\s-]/g, '')
    .replaceAll(/[IL]/g, '1')
    .replaceAll('O', '0');
  if (typed.length !== groups * CHECKED_CHARACTERS) {
    throw new Fault(
      'SLOT_SECRET_WRONG',
      `a ${of.what} has ${groups * CHECKED_CHARACTERS} characters, not ${typed.length}`,
    );
  }
  let text = '';
  for (let at = 0; at < groups; at++) {
    const group = typed.slice(at * CHECKED_CHARACTERS, (at + 1) * CHECKED_CHARACTERS);
    text += checkedGroup(group, at, of.what);
  }
  return decode(text, of);
}

function groupsOf(bytes: number): number {
  return Math.ceil((bytes * 8) / 5 / GROUP_CHARACTERS);
}

function checkedGroup(group: string, at: number, what: string): string {
  const characters = group.slice(0, GROUP_CHARACTERS);
  const known = Array.from(group).every((character) => CROCKFORD.includes(character));
  if (known && checkCharacter(characters, at) === group.slice(GROUP_CHARACTERS)) return characters;
  throw new Fault('SLOT_SECRET_WRONG', `group ${at + 1} of the ${what} has a typing mistake in it`);
}

/** Luhn's sum to base 32, begun with the number of the group. */
function checkCharacter(group: string, at: number): string {
  let sum = at;
  for (const [i, character] of Array.from(group).entries()) {
    const value = CROCKFORD.indexOf(character);
    const doubled = value * 2;
    sum += i % 2 === group.length % 2 ? value : Math.floor(doubled / 32) + (doubled % 32);
  }
  return CROCKFORD.charAt((32 - (sum % 32)) % 32);
}

function decode(text: string, of: { readonly bytes: number; readonly what: string }): Buffer {
  const bytes = Buffer.alloc(of.bytes);
  let buffer = 0;
  let bits = 0;
  let at = 0;
  for (const character of text) {
    buffer = (buffer << 5) | CROCKFORD.indexOf(character);
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes[at++] = buffer >> bits;
    buffer &= (1 << bits) - 1;
  }
  if (buffer === 0) return bytes;
  throw new Fault('SLOT_SECRET_WRONG', `the last group of the ${of.what} has a typing mistake in it`);
}
