import { licenseKeyForms } from './license-key.ts';

/** How hard a licence key is to guess. */
export interface LicenseKeyGrade {
  /** Estimated bits of entropy, rounded down; an upper bound of what its shape allows. */
  readonly bits: number;
  /** A weak key never encrypts a file: whoever has the file could test guesses at the speed of SHA-256. */
  readonly weak: boolean;
}

/** Below this a key can be searched for with rented hardware. */
const WEAK_BELOW_BITS = 64;

/** Texts that people put into keys; each counts as one choice among a thousand. */
const COMMON =
  /password|passwort|license|licence|licens|qwerty|qwertz|asdf|test|demo|trial|admin|secret|letmein|welcome|sample|example|customer|company|product|serial|enterprise|pro|key|abc123|(?:19|20)\d\d/giu;
const COMMON_BITS = 10;

/** A character that only continues a run, a count or a period is one of a handful of choices. */
const PREDICTABLE_BITS = 1;
const LONGEST_PERIOD = 16;

const ALPHABETS: readonly (readonly [RegExp, number])[] = [
  [/^[0-9]*$/, 10],
  [/^(?:[0-9a-f]*|[0-9A-F]*)$/, 16],
  [/^(?:[a-z]*|[A-Z]*)$/, 26],
  [/^(?:[0-9a-z]*|[0-9A-Z]*)$/, 36],
  [/^[A-Za-z]*$/, 52],
  [/^[A-Za-z0-9]*$/, 62],
];
const ANY_PRINTABLE = 94;

/**
 * Estimates the entropy of an imported key by length, alphabet, sequence and repetition, and common words; separators
 * count for nothing. An estimate of what its shape allows: a key that its maker computed from a name still looks random.
 */
export function gradeLicenseKey(key: string): LicenseKeyGrade {
  let common = 0;
  const rest = key.replace(COMMON, () => {
    common += COMMON_BITS;
    return ' ';
  });
  const body = rest.replace(/[\s._:/-]/gu, '');
  const bits = Math.floor(common + characterBits(Array.from(body)));
  return { bits, weak: bits < WEAK_BELOW_BITS };
}

/**
 * Whether a typed text, in any form under which a key may be stored, would be graded weak: only such a text can match a
 * weak key, so guesses at weak keys are known without looking whether there is one.
 */
export function isWeakGuess(text: string): boolean {
  return licenseKeyForms(text).some((form) => gradeLicenseKey(form).weak);
}

function characterBits(characters: readonly string[]): number {
  const perCharacter = Math.min(Math.log2(alphabetSize(characters)), diversityBits(characters));
  let bits = 0;
  for (const [at] of characters.entries()) {
    bits += isPredictable(characters, at) ? PREDICTABLE_BITS : perCharacter;
  }
  return bits;
}

function alphabetSize(characters: readonly string[]): number {
  const text = characters.join('');
  return ALPHABETS.find(([pattern]) => pattern.test(text))?.[1] ?? ANY_PRINTABLE;
}

/** A long key of few different characters was not drawn from the whole alphabet. */
function diversityBits(characters: readonly string[]): number {
  return Math.log2(new Set(characters).size + 1) + 1;
}

function isPredictable(characters: readonly string[], at: number): boolean {
  return continuesCount(characters, at) || continuesPeriod(characters, at);
}

/** `aaa`, `123`, `cba`: the third and later characters of a run with one step. */
function continuesCount(characters: readonly string[], at: number): boolean {
  const [a, b, c] = [at - 2, at - 1, at].map((i) => characters[i]?.codePointAt(0));
  if (a === undefined || b === undefined || c === undefined) return false;
  return Math.abs(c - b) <= 1 && c - b === b - a;
}

/** `abcdabcd`: the second and later rounds of a period; three equal characters in a row are enough to see it. */
function continuesPeriod(characters: readonly string[], at: number): boolean {
  for (let period = 2; period <= LONGEST_PERIOD; period++) {
    if (repeats(characters, at, period)) return true;
  }
  return false;
}

function repeats(characters: readonly string[], at: number, period: number): boolean {
  if (at < period + 2) return false;
  return [0, 1, 2].every((back) => characters[at - back] === characters[at - back - period]);
}
