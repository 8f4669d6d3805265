import { demandForm } from './refusal.ts';

const STANDARD = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const URL_SAFE = `${STANDARD.slice(0, 62)}-_`;

const STANDARD_VALUES = valuesOf(STANDARD);
const URL_SAFE_VALUES = valuesOf(URL_SAFE);

/** Value of each ASCII character, 64 where there is none. */
function valuesOf(alphabet: string): Uint8Array {
  const values = new Uint8Array(128).fill(64);
  for (let value = 0; value < 64; value++) values[alphabet.charCodeAt(value)] = value;
  return values;
}

/** Base64 with padding (RFC 4648 §4). */
export function encodeBase64(bytes: Uint8Array): string {
  const text = encode(bytes, STANDARD);
  return text + '='.repeat((4 - (text.length % 4)) % 4);
}

/** Base64url without padding (RFC 4648 §5, RFC 7515 §2). */
export function encodeBase64url(bytes: Uint8Array): string {
  return encode(bytes, URL_SAFE);
}

/**
 * Strict base64: padded, no white space, unused bits zero, so that one value has one text.
 * @throws Refusal MALFORMED
 */
export function decodeBase64(text: string): Uint8Array {
  return decode(unpad(text), STANDARD_VALUES);
}

/** Strict base64url without padding. @throws Refusal MALFORMED */
export function decodeBase64url(text: string): Uint8Array {
  return decode(text, URL_SAFE_VALUES);
}

/** Strict base64url with padding, as signed keys carry it. @throws Refusal MALFORMED */
export function decodePaddedBase64url(text: string): Uint8Array {
  return decode(unpad(text), URL_SAFE_VALUES);
}

function unpad(text: string): string {
  demandForm(text.length % 4 === 0, 'the base64 is not padded');
  return text.replace(/={1,2}$/, '');
}

function encode(bytes: Uint8Array, alphabet: string): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const [a, b, c] = [bytes[at] ?? 0, bytes[at + 1] ?? 0, bytes[at + 2] ?? 0];
    const group = (a << 16) | (b << 8) | c;
    const characters = Math.min(4, Math.ceil(((bytes.length - at) * 8) / 6));
    for (let i = 0; i < characters; i++) text += alphabet.charAt((group >> (18 - 6 * i)) & 63);
  }
  return text;
}

function decode(text: string, values: Uint8Array): Uint8Array {
  demandForm(text.length % 4 !== 1, 'the base64 is cut off');
  const bytes = new Uint8Array(Math.floor((text.length * 6) / 8));
  let buffer = 0;
  let bits = 0;
  let used = 0;
  for (let at = 0; at < text.length; at++) {
    const value = values[text.charCodeAt(at)] ?? 64;
    demandForm(value < 64, 'a character is not base64');
    buffer = ((buffer << 6) | value) & 0xffff;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes[used++] = (buffer >> bits) & 0xff;
  }
  demandForm((buffer & ((1 << bits) - 1)) === 0, 'the base64 has stray bits');
  return bytes;
}
