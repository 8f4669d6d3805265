import { describe, expect, it } from 'vitest';
import { metadataSchema, refuseCardData } from '../../src/licensing/metadata.ts';

const nested = (levels: number): unknown => (levels === 0 ? 1 : { in: nested(levels - 1) });
const members = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${String(i)}`, i]));

describe('metadata', () => {
  it.each([
    ['64 members', members(64), true],
    ['65 members', members(65), false],
    ['4 levels', nested(4), true],
    ['5 levels', nested(5), false],
    ['an array as a level', { a: { b: { c: [1] } } }, true],
    ['an array below the last level', { a: { b: { c: [[1]] } } }, false],
    ['16 KB', { text: 'x'.repeat(16 * 1024 - 11) }, true],
    ['a byte more', { text: 'x'.repeat(16 * 1024 - 10) }, false],
    ['more bytes than characters', { text: 'ü'.repeat(8200) }, false],
    ['a list', [1], false],
  ])('of %s is judged by its limits', (_, metadata, accepted) => {
    expect(metadataSchema.safeParse(metadata).success).toBe(accepted);
  });
});

describe('payment card numbers', () => {
  it.each([
    '4111111111111111',
    '4111 1111 1111 1111',
    '4111-1111-1111-1111',
    'card: 5555555555554444!',
    '378282246310005',
    '6011111111111117',
    '3530111333300000',
    '30569309025904',
  ])('are refused without being repeated: %s', (text) => {
    expect(() => refuseCardData({ note: text })).toThrow('note holds what reads as a payment card number');
  });

  it.each([
    [{ deep: { list: ['x', { y: '4111111111111111' }] } }],
    [{ '4111111111111111': 'as a name' }],
    [{ number: 4111111111111111 }],
  ])('are found inside %o', (metadata) => {
    expect(() => refuseCardData({ metadata })).toThrow('metadata');
  });

  it.each([
    ['a wrong check digit', '4111111111111112'],
    ['an IMEI', '356938035643809'],
    ['a longer number', '41111111111111111234567'],
    ['a decimal', '0.4111111111111111'],
    ['a timestamp', '1780315200000'],
    ['a telephone number', '+49 30 1234567'],
    ['nothing', null],
  ])('are not seen in %s', (_, value) => {
    expect(() => refuseCardData({ value })).not.toThrow();
  });
});
