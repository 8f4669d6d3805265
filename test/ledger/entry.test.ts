import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fault } from '../../src/faults.ts';
import {
  type Entry,
  decidingDigest,
  encodeEntry,
  parseEntry,
  privateCommitment,
} from '../../src/ledger/entry.ts';
import { InvariantViolation } from '../../src/lib/invariant.ts';
import { testEntry } from './ledger-fixtures.ts';

const plain = fc.string({
  unit: fc.constantFrom(...Array.from('abcXYZ019-_./:+= ')),
  minLength: 1,
  maxLength: 40,
});
const bytes = (length: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((array) => Buffer.from(array));
const name = fc
  .string({ unit: fc.constantFrom(...Array.from('abcdefgXYZ09_')), maxLength: 12 })
  .map((rest) => `f${rest}`);
const value = fc.oneof(
  plain,
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.boolean(),
  fc.constant(null),
);
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined });

const entries: fc.Arbitrary<Entry> = fc.record({
  index: fc.maxSafeNat(),
  at: fc.integer({ min: 0, max: Date.UTC(9999, 11, 31) }),
  salt: bytes(16),
  realm: plain,
  actor: fc.record({ kind: fc.constantFrom('api-key', 'system', 'anonymous'), id: plain, via: plain }),
  action: fc.constantFrom('license.created', 'api_key.revoked'),
  target: fc.record({ kind: plain, id: plain }),
  outcome: fc.constantFrom('done', 'refused'),
  requestId: plain,
  before: maybe(bytes(32)),
  after: maybe(bytes(32)),
  facts: maybe(fc.dictionary(name, value, { maxKeys: 6 })),
  private: maybe(bytes(32)),
});

/** The form formats.md gives an entry, canonicalised by a general RFC 8785 implementation. */
function canonicalText(entry: Entry): string | undefined {
  return canonicalize({
    ...entry,
    v: 1,
    at: new Date(entry.at).toISOString(),
    salt: entry.salt.toString('hex'),
    before: entry.before?.toString('hex'),
    after: entry.after?.toString('hex'),
    private: entry.private?.toString('hex'),
  });
}

describe('the bytes of an entry', () => {
  it('are RFC 8785 canonical for any content', () => {
    fc.assert(
      fc.property(entries, (entry) => {
        expect(encodeEntry(entry).toString('utf8')).toBe(canonicalText(entry));
      }),
      { numRuns: 2000 },
    );
  });

  it('are read back as what was written', () => {
    fc.assert(
      fc.property(entries, (entry) => {
        const read = parseEntry(encodeEntry(entry));
        expect(read.index).toBe(entry.index);
        expect(read.at).toBe(new Date(entry.at).toISOString());
        expect(read.salt).toBe(entry.salt.toString('hex'));
        expect(read.actor).toEqual(entry.actor);
        expect(read.after).toBe(entry.after?.toString('hex'));
        expect(JSON.stringify(read.facts)).toBe(entry.facts && canonicalize(entry.facts));
      }),
    );
  });

  it.each([
    ['a line feed', 'a\nb'],
    ['a quotation mark', 'a"b'],
    ['a backslash', 'a\\b'],
    ['a control character', 'a\u0007b'],
    ['a line separator', 'a\u2028b'],
    ['a letter beyond ASCII', 'Zoë'],
    ['half a surrogate pair', 'a\ud800b'],
  ])('never hold %s', (_, id) => {
    expect(() => encodeEntry(testEntry(0, { target: { kind: 'license', id } }))).toThrow(InvariantViolation);
  });

  it.each<[string, Partial<Entry>]>([
    ['an action without a verb', { action: 'license' }],
    ['an action in capitals', { action: 'license.Created' }],
    ['a target without an id', { target: { kind: 'license', id: '' } }],
    ['a request without an id', { requestId: '' }],
    ['a short salt', { salt: Buffer.alloc(15) }],
    ['a digest of another length', { after: Buffer.alloc(20) }],
  ])('never have %s: what is written must be readable', (_, given) => {
    expect(() => encodeEntry(testEntry(0, given))).toThrow(InvariantViolation);
  });

  it('never have a fact whose name would sort differently in an object', () => {
    expect(() => encodeEntry(testEntry(0, { facts: { a: 1, 10: 2 } }))).toThrow(InvariantViolation);
  });
});

describe('reading an entry', () => {
  const good = JSON.parse(encodeEntry(testEntry(7)).toString()) as Record<string, unknown>;

  it.each([
    ['no JSON', '{'],
    ['an array', '[]'],
    ['null', 'null'],
    ['another version', JSON.stringify({ ...good, v: 2 })],
    ['an unknown member', JSON.stringify({ ...good, extra: 1 })],
    ['a member of Object.prototype', JSON.stringify({ ...good, constructor: 1 })],
    ['a missing member', JSON.stringify({ ...good, salt: undefined })],
    ['a short salt', JSON.stringify({ ...good, salt: 'ab' })],
    ['a digest in capitals', JSON.stringify({ ...good, after: 'A'.repeat(64) })],
    ['a time without milliseconds', JSON.stringify({ ...good, at: '2026-01-01T00:00:00Z' })],
    ['an index in words', JSON.stringify({ ...good, index: '7' })],
    [
      'an actor with more to it',
      JSON.stringify({ ...good, actor: { kind: 'a', id: 'b', via: 'c', name: 'd' } }),
    ],
    ['another outcome', JSON.stringify({ ...good, outcome: 'maybe' })],
  ])('refuses %s', (_, text) => {
    const read = (): unknown => parseEntry(Buffer.from(text));
    expect(read).toThrow(Fault);
    expect(read).toThrow(expect.objectContaining({ code: 'LEDGER_INVALID' }));
  });
});

describe('digests', () => {
  const sha = (...parts: readonly (Buffer | string)[]): string =>
    parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest('hex');

  it('of deciding columns cover salt and canonical columns, whatever their order', () => {
    const salt = Buffer.alloc(16, 7);
    const digest = decidingDigest(salt, { status: 'active', expires_at: null, max: 3 });
    expect(digest.toString('hex')).toBe(sha(salt, '{"expires_at":null,"max":3,"status":"active"}'));
    expect(decidingDigest(salt, { max: 3, status: 'active', expires_at: null })).toEqual(digest);
  });

  it('of deciding columns are those of RFC 8785 for any text and number', () => {
    const text = fc.string({ unit: 'binary' });
    const columns = fc.dictionary(name, fc.oneof(text, value), { maxKeys: 6 });
    fc.assert(
      fc.property(columns, bytes(16), (given, salt) => {
        expect(decidingDigest(salt, given).toString('hex')).toBe(sha(salt, canonicalize(given) ?? ''));
      }),
    );
    expect(() => decidingDigest(Buffer.alloc(16), { a: 'half \ud800' })).toThrow('surrogate');
  });

  it('of a private part cover its own salt of 32 bytes', () => {
    const salt = Buffer.alloc(32, 9);
    expect(privateCommitment(salt, Buffer.from('{}')).toString('hex')).toBe(sha(salt, '{}'));
    expect(() => privateCommitment(Buffer.alloc(16), Buffer.from('{}'))).toThrow(InvariantViolation);
  });
});
