import { Fault } from '../../faults.ts';

/** What a PKCS#11 URI says (RFC 7512 §2.3), as far as it can name something for good. */
export interface Pkcs11Uri {
  readonly token?: string;
  readonly serial?: string;
  readonly manufacturer?: string;
  readonly model?: string;
  readonly object?: string;
  readonly id?: Buffer;
  readonly type?: string;
  readonly 'module-path'?: string;
  readonly 'pin-source'?: string;
}

type Attribute = keyof Pkcs11Uri;

/** In the order in which we write them. */
const PATH = ['token', 'serial', 'manufacturer', 'model', 'object', 'id', 'type'] as const;
const QUERY = ['module-path', 'pin-source'] as const;

/** Attributes that others know and we refuse, with the reason. */
const REFUSED: Readonly<Record<string, string>> = {
  'slot-id': 'slot numbers change when a token is added; name the token by token and serial',
  'slot-description': 'slots change; name the token by token and serial',
  'slot-manufacturer': 'slots change; name the token by token and serial',
  'pin-value': 'a PIN in a URI is seen by everybody; name a file with pin-source',
  'module-name': 'a module is found by its whole path; use module-path',
};

/** Longer than any name a token can have; an attacker's are longer. */
const MAX_URI = 2048;
/** Unreserved characters (RFC 3986 §2.3), those that RFC 7512 §2.3 lets stand in path and query, and encoded bytes. */
const VALUE = /^(?:[A-Za-z0-9\-._~:[\]@!$'()*+,=&/?|]|%[0-9A-Fa-f]{2})*$/;
/** What we write as it is. */
const ALWAYS_PLAIN = /[A-Za-z0-9\-._~:@]/;

/**
 * Reads a PKCS#11 URI. Each attribute once, nothing unknown, nothing that does not last.
 * @throws Fault CONFIG_INVALID
 */
export function parsePkcs11Uri(text: string): Pkcs11Uri {
  if (!text.startsWith('pkcs11:') || text.length > MAX_URI) throw invalid('it does not begin with pkcs11:');
  const [path = '', query, ...more] = text.slice('pkcs11:'.length).split('?');
  if (more.length > 0 || query === '') throw invalid('it has one ? at most, with something behind it');
  const found = new Map<Attribute, string | Buffer>();
  if (path !== '') for (const pair of path.split(';')) take(pair, PATH, found);
  if (query !== undefined) for (const pair of query.split('&')) take(pair, QUERY, found);
  return Object.fromEntries(found);
}

/** Writes a PKCS#11 URI in the one spelling that is ours: attributes in order, all that could be misread encoded. */
export function pkcs11Uri(parts: Pkcs11Uri): string {
  const written = (names: readonly Attribute[]): string[] =>
    names.flatMap((name) => {
      const value = parts[name];
      return value === undefined ? [] : [`${name}=${encoded(value)}`];
    });
  const query = written(QUERY).join('&');
  return `pkcs11:${written(PATH).join(';')}${query === '' ? '' : `?${query}`}`;
}

function take(pair: string, allowed: readonly Attribute[], found: Map<Attribute, string | Buffer>): void {
  const at = pair.indexOf('=');
  const name = pair.slice(0, Math.max(at, 0));
  const reason = REFUSED[name];
  if (reason !== undefined) throw invalid(`${name} is refused: ${reason}`);
  const known = allowed.find((candidate) => candidate === name);
  if (known === undefined) throw invalid(`there is no attribute ${JSON.stringify(name)} at that place`);
  if (found.has(known)) throw invalid(`${known} stands in it twice`);
  const bytes = decoded(pair.slice(at + 1), known);
  found.set(known, known === 'id' ? bytes : textOf(bytes, known));
}

function decoded(value: string, name: string): Buffer {
  if (value === '' || !VALUE.test(value)) throw invalid(`the value of ${name} is empty or badly encoded`);
  const parts = value.split(/(%[0-9A-Fa-f]{2})/).map((part) => {
    return part.startsWith('%') ? Buffer.from(part.slice(1), 'hex') : Buffer.from(part, 'ascii');
  });
  return Buffer.concat(parts);
}

function textOf(bytes: Buffer, name: string): string {
  const text = bytes.toString('utf8');
  // A control character has no place in a name and none in a log.
  const sound = Buffer.from(text, 'utf8').equals(bytes) && !/\p{Cc}/u.test(text);
  if (!sound) throw invalid(`the value of ${name} is no plain UTF-8 text`);
  return text;
}

function encoded(value: string | Buffer): string {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
  const plain = typeof value === 'string' ? ALWAYS_PLAIN : /^$/;
  return Array.from(bytes, (byte) => {
    const character = String.fromCharCode(byte);
    if (plain.test(character)) return character;
    return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }).join('');
}

function invalid(why: string): Fault {
  return new Fault('CONFIG_INVALID', `this is no PKCS#11 URI (RFC 7512) that can be used: ${why}`);
}
