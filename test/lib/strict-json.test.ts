import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseStrictJson } from '../../src/lib/strict-json.ts';
import { readJson } from '../../src/verify/strict-json.ts';

const LIMITS = { maxBytes: 65_536 };

/** The server's reader and the verify library's, which share no code. */
const READERS = [
  ['the server', (text: string) => parseStrictJson(text, LIMITS)],
  ['the verify library', readJson],
] as const;

const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
const wide = (members: number): string =>
  `{${Array.from({ length: members }, (_, at) => `"k${at.toString()}":0`).join(',')}}`;

const REFUSED: readonly (readonly [what: string, text: string])[] = [
  ['a member twice', '{"a":1,"a":1}'],
  ['a member twice in disguise', String.raw`{"a":1,"\u0061":1}`],
  ['a member twice, deep inside', '{"x":[{"a":1,"b":2,"a":3}]}'],
  ['__proto__', '{"__proto__":{}}'],
  ['__proto__ in disguise', String.raw`{"\u005f_proto__":{}}`],
  ['constructor', '{"a":{"constructor":1}}'],
  ['prototype', '{"prototype":1}'],
  ['33 levels', nested(33)],
  ['1001 members', wide(1001)],
  ['an unpaired surrogate', String.raw`"\ud800"`],
  ['an unpaired surrogate in a name', String.raw`{"\udc00":1}`],
  ['a number beyond a double', '1e999'],
  ['a trailing comma', '[1,]'],
  ['a trailing comma in an object', '{"a":1,}'],
  ['two values', '1 2'],
  ['nothing', ''],
  ['white space alone', ' '],
  ['a comment', '{}//'],
  ['single quotes', "{'a':1}"],
  ['a leading zero', '01'],
  ['a plus sign', '+1'],
  ['a bare point', '1.'],
  ['NaN', 'NaN'],
  ['an unknown word', 'nul'],
  ['an open string', '"abc'],
  ['an open escape', '"abc\\'],
  ['an unknown escape', String.raw`"\x41"`],
  ['a short escape', String.raw`"\u12"`],
  ['a line end in a string', '"a\nb"'],
  ['an open object', '{"a":1'],
  ['an open array', '[1'],
  ['crossed brackets', '[{]}'],
  ['a name that is not a string', '{1:2}'],
  ['a missing colon', '{"a" 1}'],
  ['a byte order mark', '\ufeff{}'],
  ['other white space', '\u00a0{}'],
];

const ACCEPTED: readonly string[] = [
  '{}',
  '[]',
  'null',
  ' [ true , false ] ',
  '"\\u00e4\\n\\"\\\\\\/"',
  '-0.5e-3',
  '{"a":{"b":1},"b":1}',
  '[{"a":1},{"a":1}]',
  String.raw`{"a":"\"a\":1,"}`,
  '"😀"',
  String.raw`"\ud83d\ude00"`,
  nested(32),
  wide(1000),
];

describe.each(READERS)('strict JSON as read by %s', (_name, read) => {
  it.each(REFUSED)('refuses %s', (_what, text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
  });

  it.each(ACCEPTED)('reads %s as everyone does', (text) => {
    expect(read(text)).toEqual(JSON.parse(text));
  });

  it('reads whatever JSON.stringify writes', () => {
    const refused = ['__proto__', 'constructor', 'prototype', 'toString', 'valueOf'];
    const names = fc.string().filter((name) => !refused.includes(name));
    const document = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 6 },
        fc.constant(null),
        fc.boolean(),
        fc.double({ noNaN: true, noDefaultInfinity: true }).filter((number) => !Object.is(number, -0)),
        fc.string({ unit: 'binary' }),
        fc.array(tie('value'), { maxLength: 5 }),
        fc.dictionary(names, tie('value'), { maxKeys: 5, noNullPrototype: true }),
      ),
    })).value;
    fc.assert(
      fc.property(document, fc.integer({ min: 0, max: 3 }), (value, indent) => {
        const text = JSON.stringify(value, undefined, indent);
        expect(read(text)).toEqual(JSON.parse(text));
      }),
    );
  });
});

describe('the two readers', () => {
  it('answer alike on damaged documents, and never read what the engine refuses', () => {
    const base = '{"a":[1,-2.5e3,"x\\u00e9\\n"],"b":{"c":null,"d":true},"e":"😀"}';
    fc.assert(
      fc.property(
        fc.nat(base.length),
        fc.string({ unit: 'binary', maxLength: 3 }),
        fc.nat(3),
        (at, text, cut) => {
          const damaged = base.slice(0, at) + text + base.slice(at + cut);
          const [server, library] = READERS.map(([, read]) => outcome(read, damaged));
          expect(server).toEqual(library);
          if (server !== 'refused') expect(server).toEqual(JSON.parse(damaged));
        },
      ),
      { numRuns: 2000 },
    );
  });
});

function outcome(read: (text: string) => unknown, text: string): unknown {
  try {
    return read(text);
  } catch {
    return 'refused';
  }
}

describe('the server’s reader', () => {
  it('refuses bytes that are not UTF-8', () => {
    const bytes = Buffer.from([0x22, 0xc0, 0x80, 0x22]);
    expect(() => parseStrictJson(bytes, LIMITS)).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
  });

  it('refuses a byte order mark in bytes', () => {
    const bytes = Buffer.from('\ufeff{}', 'utf8');
    expect(() => parseStrictJson(bytes, LIMITS)).toThrow(expect.objectContaining({ code: 'MALFORMED' }));
  });

  it('counts bytes, not characters', () => {
    expect(parseStrictJson('"ä"', { maxBytes: 4 })).toBe('ä');
    expect(() => parseStrictJson('"ä"', { maxBytes: 3 })).toThrow(
      expect.objectContaining({ code: 'BODY_TOO_LARGE' }),
    );
  });

  it('takes narrower limits', () => {
    expect(() => parseStrictJson('[[]]', { maxBytes: 10, maxDepth: 1 })).toThrow(/deeper than 1/);
    expect(() => parseStrictJson('{"a":1,"b":2}', { maxBytes: 20, maxKeys: 1 })).toThrow(/more than 1/);
  });

  it('never quotes what it refuses', () => {
    const read = (): unknown => parseStrictJson('{"password":"hunter2",}', LIMITS);
    expect(read).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('hunter2') as string }),
    );
  });
});

describe('strict JSON of the API', () => {
  it.each(['toString', 'valueOf'])(
    'refuses a member named %s, which would break a schema that compares lengths',
    (name) => {
      expect(() => parseStrictJson(`{"length":{"${name}":1}}`, { maxBytes: 100 })).toThrow(
        expect.objectContaining({ code: 'MALFORMED' }),
      );
      expect(parseStrictJson(`{"${name}s":1}`, { maxBytes: 100 })).toEqual({ [`${name}s`]: 1 });
    },
  );
});
