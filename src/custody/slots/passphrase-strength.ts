import { Fault } from '../../faults.ts';
import type { Secret } from '../../lib/secret.ts';
import { COMMON_PASSPHRASES } from './guessable-passphrases.ts';
import { normalisePassphrase } from './passphrase.ts';

/** A passphrase that somebody thought of has at least this many characters; generated ones have more. */
const MIN_CHARACTERS = 16;
/** Fewer different characters than this are a pattern. */
const MIN_DISTINCT = 8;
/** More than this share of characters that follow from the one before is a run over the alphabet or a keyboard. */
const MAX_SEQUENCE = 0.5;

const RUNS = [
  'abcdefghijklmnopqrstuvwxyz',
  '01234567890',
  'qwertyuiop',
  'asdfghjkl',
  'zxcvbnm',
  'qwertzuiop',
  'yxcvbnm',
];

/** What makes a passphrase guessable, and what to say about it. One row per rule, in this order. */
const RULES: readonly { readonly broken: (text: string) => boolean; readonly why: string }[] = [
  {
    broken: (text) => Array.from(text).length < MIN_CHARACTERS,
    why: `the passphrase is shorter than ${MIN_CHARACTERS} characters; take a longer one or have one generated`,
  },
  {
    broken: (text) => new Set(text.toLowerCase()).size < MIN_DISTINCT,
    why: 'the passphrase uses too few different characters; have one generated',
  },
  { broken: isRepetition, why: 'the passphrase repeats itself; have one generated' },
  { broken: isSequence, why: 'the passphrase runs along the alphabet or a keyboard; have one generated' },
  { broken: isCommon, why: 'the passphrase is a well-known one; have one generated' },
];

/**
 * Refuses a passphrase that is easily guessed. Not a measure of strength: it stops the worst, and every message says
 * that one can be generated.
 * @throws Fault VALIDATION_FAILED
 */
export function requireStrongPassphrase(passphrase: Secret): void {
  const text = normalisePassphrase(passphrase.expose());
  const found = RULES.find(({ broken }) => broken(text));
  if (found !== undefined) throw new Fault('VALIDATION_FAILED', found.why);
}

/** One part over and over, the last one perhaps cut short. */
function isRepetition(text: string): boolean {
  const lower = text.toLowerCase();
  for (let period = 1; period <= lower.length / 2; period++) {
    if (lower.startsWith(lower.slice(period))) return true;
  }
  return false;
}

function isSequence(text: string): boolean {
  const letters = Array.from(text.toLowerCase());
  const followers = letters.filter((letter, at) => at > 0 && follows(letters[at - 1] ?? '', letter));
  return followers.length / (letters.length - 1) > MAX_SEQUENCE;
}

function follows(before: string, letter: string): boolean {
  return (
    letter === before || RUNS.some((run) => run.includes(before + letter) || run.includes(letter + before))
  );
}

/** Case, spaces, punctuation, the usual replacements and digits at the end make nothing stronger. */
function isCommon(text: string): boolean {
  const plain = skeleton(text);
  return COMMON_PASSPHRASES.some((common) => {
    const known = skeleton(common);
    return plain === known || plain.replaceAll(known, '').length < MIN_DISTINCT / 2;
  });
}

const REPLACEMENTS: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
};

function skeleton(text: string): string {
  const lower = text.toLowerCase().replaceAll('@', 'a').replaceAll('$', 's').replaceAll('!', 'i');
  const undigited = lower.replace(/[0-9]+$/, '');
  return undigited.replaceAll(/[0-9]/g, (digit) => REPLACEMENTS[digit] ?? digit).replaceAll(/[^a-z0-9]/g, '');
}
