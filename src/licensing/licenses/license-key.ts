import { encodeBase32 } from '../../lib/base32.ts';
import type { Random } from '../../lib/random.ts';
import { Fault } from '../../faults.ts';

/** 80 random bits are exactly 16 characters of base 32. */
const RANDOM_BYTES = 10;
const GROUP = 4;
const BODY_CHARACTERS = 16;

const GENERATED = /^[A-Z]{2,10}(?:-[0-9A-HJKMNP-TV-Z]{4}){4}$/;
const PREFIX = /^[A-Z]{2,10}$/;
const BODY = /^[0-9A-HJKMNP-TV-Z]{16}$/;

/**
 * A new licence key, `PREFIX-XXXX-XXXX-XXXX-XXXX`, already in canonical form.
 * @param prefix 2–10 upper-case letters (product `keyPrefix`)
 */
export function generateLicenseKey(prefix: string, random: Random): string {
  return grouped(prefix, encodeBase32(random.bytes(RANDOM_BYTES)));
}

/** Whether a text is one of our generated keys in canonical form. */
export function isGeneratedLicenseKey(text: string): boolean {
  return GENERATED.test(text);
}

/**
 * The canonical form of a typed key: what look-up and content keys are made from.
 *
 * A text that reads as one of our keys (spaces, dashes and case ignored; I and L read as 1, O as 0 in the last 16
 * characters, never in the prefix) comes back as `PREFIX-XXXX-XXXX-XXXX-XXXX`. Any other text is an imported key: its
 * exact characters, NFC, trimmed.
 */
export function canonicalLicenseKey(text: string): string {
  return generatedForm(text) ?? importedForm(text);
}

/**
 * Every form under which a typed key may be stored, most likely first: an imported key may happen to read like a
 * generated one. One or two elements.
 */
export function licenseKeyForms(text: string): readonly string[] {
  const imported = importedForm(text);
  const generated = generatedForm(text);
  return generated === undefined || generated === imported ? [imported] : [generated, imported];
}

function generatedForm(text: string): string | undefined {
  const packed = text.replace(/[\s-]/gu, '').toUpperCase();
  const prefix = packed.slice(0, -BODY_CHARACTERS);
  const body = packed.slice(-BODY_CHARACTERS).replace(/[IL]/g, '1').replaceAll('O', '0');
  return PREFIX.test(prefix) && BODY.test(body) ? grouped(prefix, body) : undefined;
}

function grouped(prefix: string, body: string): string {
  const groups = [prefix];
  for (let at = 0; at < body.length; at += GROUP) groups.push(body.slice(at, at + GROUP));
  return groups.join('-');
}

const importedForm = (text: string): string => text.normalize('NFC').trim();

const IMPORTED_MIN = 8;
const IMPORTED_MAX = 256;

/**
 * The stored form of a key that comes from elsewhere: its exact characters, NFC, trimmed; never mapped.
 * @throws Fault VALIDATION_FAILED unless it has 8–256 printable characters
 */
export function importedLicenseKey(text: string): string {
  const key = importedForm(text);
  const characters = Array.from(key).length;
  const printable = !/[\p{C}\p{Zl}\p{Zp}]/u.test(key);
  if (characters >= IMPORTED_MIN && characters <= IMPORTED_MAX && printable) return key;
  const message = 'a licence key has 8 to 256 printable characters';
  throw new Fault('VALIDATION_FAILED', message, { errors: [{ path: 'key', code: 'LICENSE_KEY', message }] });
}

const DOTS = '••••';
const SHOWN = 4;
/** Below this length four characters would give too much away. */
const SHOW_FROM = 16;

/** A key as reads show it: `ACME-••••-••••-••••-H8K2`; of an imported key at most the last four characters. */
export function maskLicenseKey(key: string): string {
  const characters = Array.from(key);
  const last = characters.slice(-SHOWN).join('');
  if (!isGeneratedLicenseKey(key)) return characters.length < SHOW_FROM ? DOTS : `${DOTS}${last}`;
  return [key.slice(0, key.indexOf('-')), DOTS, DOTS, DOTS, last].join('-');
}
