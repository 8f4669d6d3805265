import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import type { Cell, Sealer } from '../custody/sealer.ts';
import { Fault } from '../faults.ts';

/** Free data of the caller's own: any JSON values by name. */
export type Metadata = Readonly<Record<string, unknown>>;

const BYTES_MAX = 16 * 1024;
const KEYS_MAX = 64;
const DEPTH_MAX = 4;
const NAME_MAX = 255;

/** `metadata` of any resource: an object of at most 16 KB, 64 members and 4 levels. */
export const metadataSchema = z
  .record(z.string().min(1).max(NAME_MAX), z.unknown())
  .refine((value) => Object.keys(value).length <= KEYS_MAX, `must have at most ${KEYS_MAX} members`)
  .refine((value) => depthOf(value) <= DEPTH_MAX, `must have at most ${DEPTH_MAX} levels of nesting`)
  .refine((value) => Buffer.byteLength(JSON.stringify(value)) <= BYTES_MAX, 'must have at most 16 KB')
  .meta({ description: 'Free data of your own: at most 16 KB, 64 members, 4 levels.' });

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

/** Seals a JSON value into its cell. */
export function sealJson(sealer: Sealer, cell: Cell, value: object): Buffer {
  return sealer.seal(cell, Buffer.from(JSON.stringify(value)));
}

/**
 * Opens a JSON value that `sealJson` sealed into this cell.
 * @throws Fault SEALED, KEY_STORAGE
 */
export function openJson(sealer: Sealer, cell: Cell, sealed: Buffer): unknown {
  return JSON.parse(sealer.open(cell, sealed).toString('utf8'));
}

/** Which row's `metadata` it is. */
export type MetadataCell = Omit<Cell, 'column'>;

/** Seals metadata; nothing to seal is null. */
export function sealMetadata(sealer: Sealer, cell: MetadataCell, metadata: Metadata): Buffer | null {
  if (Object.keys(metadata).length === 0) return null;
  return sealJson(sealer, { ...cell, column: 'metadata' }, metadata);
}

/** Seals other metadata; what says the same, and what is absent, stays the bytes that are stored. */
export function resealMetadata(
  sealer: Sealer,
  cell: MetadataCell,
  { stored, metadata }: { readonly stored: Buffer | null; readonly metadata: Metadata | undefined },
): Buffer | null {
  const stays = metadata === undefined || isDeepStrictEqual(openMetadata(sealer, cell, stored), metadata);
  return stays ? stored : sealMetadata(sealer, cell, metadata);
}

/** Opens metadata; null is none. */
export function openMetadata(sealer: Sealer, cell: MetadataCell, sealed: Buffer | null): Metadata {
  if (sealed === null) return {};
  // It was an object when `sealMetadata` sealed it, and the seal proves that it is the same bytes.
  return openJson(sealer, { ...cell, column: 'metadata' }, sealed) as Metadata;
}

/** ISO/IEC 7812 prefixes and lengths of the payment schemes. An IMEI (15 digits, 35… or 01…) matches none of them. */
const CARDS: readonly RegExp[] = [
  /^4(?:\d{12}|\d{15}|\d{18})$/, // Visa
  /^(?:5[1-5]\d{2}|222[1-9]|22[3-9]\d|2[3-6]\d{2}|27[01]\d|2720)\d{12}$/, // Mastercard
  /^3[47]\d{13}$/, // American Express
  /^3(?:0[0-5]|[68]\d)\d{11}$/, // Diners Club
  /^(?:6011|64[4-9]\d|65\d{2})\d{12}$/, // Discover
  /^352[89]\d{12}$|^35[3-8]\d{13}$/, // JCB
];
/** Digits as people write card numbers: in groups, with single spaces or dashes. */
const DIGIT_RUN = /(?<![\d.])\d(?:[ -]?\d){12,18}(?![\d.])/gu;

/**
 * Refuses payment card numbers in free fields, names of members included: what is never stored needs no protection.
 * @param fields the free fields by name, as the request has them
 * @throws Fault CARD_DATA_REFUSED naming the field, never the value
 */
export function refuseCardData(fields: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(fields)) {
    if (!textsOf(value).some(hasCardNumber)) continue;
    const message = `${name} holds what reads as a payment card number`;
    throw new Fault('CARD_DATA_REFUSED', message, {
      errors: [{ path: name, code: 'CARD_DATA_REFUSED', message }],
    });
  }
}

function textsOf(value: unknown): string[] {
  if (typeof value === 'string' || typeof value === 'number') return [String(value)];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => [name, ...textsOf(member)]);
}

function hasCardNumber(text: string): boolean {
  const runs = text.match(DIGIT_RUN) ?? [];
  return runs.map((run) => run.replace(/[ -]/gu, '')).some((digits) => isCard(digits));
}

function isCard(digits: string): boolean {
  return CARDS.some((scheme) => scheme.test(digits)) && luhn(digits);
}

/** ISO/IEC 7812-1 annex B. */
function luhn(digits: string): boolean {
  let sum = 0;
  for (let at = 0; at < digits.length; at++) {
    const value = Number(digits.charAt(digits.length - 1 - at)) * (at % 2 === 0 ? 1 : 2);
    sum += value > 9 ? value - 9 : value;
  }
  return sum % 10 === 0;
}
