import { demandForm } from './refusal.ts';

// Own code instead of TextEncoder and TextDecoder: neither exists in a bare JavaScript engine.

/** Longest form of one UTF-16 unit. */
const MAX_BYTES_PER_UNIT = 3;

/** UTF-8 bytes of a text; an unpaired surrogate becomes U+FFFD, as everywhere else. */
export function utf8Bytes(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * MAX_BYTES_PER_UNIT);
  let used = 0;
  for (let at = 0; at < text.length; at++) {
    const point = text.codePointAt(at) ?? 0;
    if (point > 0xffff) at++;
    if (point < 0x80) bytes[used++] = point;
    else for (const byte of encodePoint(point)) bytes[used++] = byte;
  }
  return bytes.slice(0, used);
}

/** Bytes of a code point that is not ASCII. */
function encodePoint(codePoint: number): readonly number[] {
  const point = codePoint >= 0xd800 && codePoint <= 0xdfff ? 0xfffd : codePoint;
  const tail = (shift: number): number => 0x80 | ((point >> shift) & 0x3f);
  if (point < 0x800) return [0xc0 | (point >> 6), tail(0)];
  if (point < 0x10000) return [0xe0 | (point >> 12), tail(6), tail(0)];
  return [0xf0 | (point >> 18), tail(12), tail(6), tail(0)];
}

interface Lead {
  readonly length: number;
  readonly bits: number;
  /** Smallest code point of this length: a lower one is an overlong encoding. */
  readonly least: number;
}

/** What the first byte of a character that is not ASCII says. */
function leadOf(byte: number): Lead {
  if (byte >> 5 === 0b110) return { length: 2, bits: byte & 0x1f, least: 0x80 };
  if (byte >> 4 === 0b1110) return { length: 3, bits: byte & 0x0f, least: 0x800 };
  demandForm(byte >> 3 === 0b11110, 'the text is not UTF-8');
  return { length: 4, bits: byte & 0x07, least: 0x10000 };
}

/** Text of UTF-8 bytes (RFC 3629). @throws Refusal MALFORMED for overlong forms, surrogates and everything else wrong */
export function utf8Text(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length;) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x80) {
      // Nearly everything we read is plain ASCII.
      text += String.fromCharCode(byte);
      at++;
    } else {
      const lead = leadOf(byte);
      text += String.fromCodePoint(readPoint(bytes, at, lead));
      at += lead.length;
    }
  }
  return text;
}

function readPoint(bytes: Uint8Array, at: number, lead: Lead): number {
  let point = lead.bits;
  for (let i = 1; i < lead.length; i++) {
    const byte = bytes[at + i] ?? 0;
    demandForm(byte >> 6 === 0b10, 'the text is not UTF-8');
    point = (point << 6) | (byte & 0x3f);
  }
  const surrogate = point >= 0xd800 && point <= 0xdfff;
  demandForm(point >= lead.least && point <= 0x10ffff && !surrogate, 'the text is not UTF-8');
  return point;
}

/** Compares in time that depends on the lengths alone. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0);
  return difference === 0;
}
