import { crc32 } from 'node:zlib';
import type { Random } from '../../lib/random.ts';
import { Secret } from '../../lib/secret.ts';

/** Secret keys act by scopes; publishable ones stand in clients and do little. */
export type ApiKeyKind = 'sk' | 'pk';

/** Which realm of a tenant a key is for; it says so itself, so that nobody takes one for the other. */
export type KeyEnvironment = 'live' | 'test';

/** A key as it is typed, taken apart. Its checksum was right; nothing else is proven. */
export interface ParsedApiKey {
  readonly kind: ApiKeyKind;
  readonly environment: KeyEnvironment;
  /** Finds the key's row; no secret. */
  readonly publicId: string;
  readonly secret: Secret;
}

/** A new key, whole; its text is shown once. */
export interface NewApiKeyText extends ParsedApiKey {
  readonly text: Secret;
  /** What lists show of it. */
  readonly lastFour: string;
}

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const ID_CHARACTERS = 22;
const SECRET_CHARACTERS = 32;
const CHECK_CHARACTERS = 6;
/** Largest multiple of 62 in a byte: larger bytes are drawn again, or some characters would be likelier. */
const FAIR_BYTES = 248;

const FORM = /^((sk|pk)_(live|test)_mm([0-9A-Za-z]{22})([0-9A-Za-z]{32}))([0-9A-Za-z]{6})$/;

/**
 * A new key (docs/http.md, API keys):
 *
 *     sk _ live _ mm 22 characters  32 characters  6 characters
 *     kind  env      id             secret         CRC-32 of everything before, base 62
 */
export function newApiKeyText(
  of: { readonly kind: ApiKeyKind; readonly environment: KeyEnvironment; readonly publicId?: string },
  random: Random,
): NewApiKeyText {
  const publicId = of.publicId ?? base62(ID_CHARACTERS, random);
  const secret = base62(SECRET_CHARACTERS, random);
  const body = `${of.kind}_${of.environment}_mm${publicId}${secret}`;
  const text = body + checksum(body);
  const { kind, environment } = of;
  return {
    ...{ kind, environment, publicId },
    secret: new Secret(secret),
    text: new Secret(text),
    lastFour: text.slice(-4),
  };
}

/** Takes a key apart; undefined when it is not one of ours or was mistyped: the checksum tells without a look-up. */
export function parseApiKey(text: string): ParsedApiKey | undefined {
  const [, body = '', kind, environment, publicId = '', secret = '', check] = FORM.exec(text) ?? [];
  if (body === '' || checksum(body) !== check) return undefined;
  return {
    kind: kind === 'pk' ? 'pk' : 'sk',
    environment: environment === 'live' ? 'live' : 'test',
    publicId,
    secret: new Secret(secret),
  };
}

/** CRC-32 (ISO 3309, as in zip) in base 62, most significant character first, six of them. */
function checksum(body: string): string {
  let rest = crc32(body);
  let text = '';
  for (let count = 0; count < CHECK_CHARACTERS; count++) {
    text = ALPHABET.charAt(rest % ALPHABET.length) + text;
    rest = Math.floor(rest / ALPHABET.length);
  }
  return text;
}

function base62(length: number, random: Random): string {
  let text = '';
  while (text.length < length) {
    for (const byte of random.bytes(length - text.length)) {
      if (byte < FAIR_BYTES) text += ALPHABET.charAt(byte % ALPHABET.length);
    }
  }
  return text;
}
