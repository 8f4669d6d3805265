/** Values that no member expects, or that stand at the edge of what one takes. */
const STRANGE: readonly unknown[] = [
  ...[null, true, false, 0, -1, 0.5, 1e308, -1e308, 2 ** 53, 2 ** 31, -(2 ** 63)],
  ...[
    '',
    ' ',
    '\u0000',
    '\ud800',
    '\u202e',
    '💥'.repeat(50),
    'x'.repeat(300),
    'y'.repeat(20_000),
    "'; DROP TABLE licenses; --",
  ],
  ...[
    '9999-12-31T23:59:59.999Z',
    '0000-01-01T00:00:00Z',
    '2026-02-30T00:00:00Z',
    '4111111111111111',
    '%s%n',
    '../../etc/passwd',
  ],
  ...[
    [],
    {},
    [[]],
    [null],
    { a: { b: { c: {} } } },
    { toString: 1 },
    { length: 5 },
    { length: { toString: 1 } },
    { length: {} },
  ],
];

/** How deep JSON may nest at most is 32; this is beyond. */
const TOO_DEEP = 40;
const MANY = 1500;

type Random = () => number;

/**
 * A body broken in one place or several, as bytes. A fifth stays as it was: what is sound must be accepted in between, or
 * nothing beyond the first check would be reached.
 */
export function mutate(sound: unknown, random: Random): Buffer {
  const kind = random();
  if (kind < 0.2) return bytesOf(sound);
  if (kind < 0.75) return bytesOf(replaced(sound, random));
  const text = Buffer.from(JSON.stringify(sound), 'utf8');
  return oneOf(TEXT_MUTATIONS, random)(text, random);
}

const TEXT_MUTATIONS: readonly ((text: Buffer, random: Random) => Buffer)[] = [
  // One byte is another: mostly no JSON any more, sometimes another value, sometimes no UTF-8.
  (text, random) => {
    const copy = Buffer.from(text);
    copy[Math.floor(random() * copy.length)] = Math.floor(random() * 256);
    return copy;
  },
  (text, random) => text.subarray(0, Math.floor(random() * text.length)),
  (text) => Buffer.concat([text, text]),
  (text) => Buffer.from(text.toString('utf8').replace('{', '{"__proto__":{"admin":true},')),
  (text) => Buffer.from(text.toString('utf8').replace('{', '{"constructor":{"prototype":{}},')),
  (text) => Buffer.from(text.toString('utf8').replace(/("\w+":)/, '$11,$1')),
  (text) => Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), text]),
  () => Buffer.from('['.repeat(TOO_DEEP) + ']'.repeat(TOO_DEEP)),
  () =>
    Buffer.from(
      JSON.stringify(Object.fromEntries(Array.from({ length: MANY }, (_, i) => [`m${String(i)}`, i]))),
    ),
  () => Buffer.alloc(70_000, 0x20),
  () => Buffer.from('{"a":1e999999}'),
  () => Buffer.from([0xff, 0xfe, 0x7b, 0x00, 0x7d, 0x00]),
  () => Buffer.alloc(0),
];

/** Puts something strange in one to three places, drops a member, or adds one. */
function replaced(sound: unknown, random: Random): unknown {
  let value: unknown = structuredClone(sound);
  const places = 1 + Math.floor(random() * 3);
  for (let place = 0; place < places; place++) value = replacedOnce(value, random);
  return value;
}

function replacedOnce(value: unknown, random: Random): unknown {
  const entries = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  if (typeof value !== 'object' || entries.length === 0 || random() < 0.1) return oneOf(STRANGE, random);
  if (random() < 0.15)
    return { ...value, [`added${String(Math.floor(random() * 10))}`]: oneOf(STRANGE, random) };
  const at = Math.floor(random() * entries.length);
  const [name, member] = (entries[at] ?? ['', null]) as [string, unknown]; // Object.entries says any
  if (random() < 0.15) return Object.fromEntries(entries.filter((_, i) => i !== at));
  const next = replacedOnce(random() < 0.5 ? null : member, random);
  return Array.isArray(value) ? value.with(at, next) : { ...value, [name]: next };
}

function bytesOf(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value), 'utf8');
}

function oneOf<T>(values: readonly T[], random: Random): T {
  return values[Math.floor(random() * values.length)] as T; // the lists here are never empty
}
