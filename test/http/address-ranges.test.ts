import { describe, expect, it } from 'vitest';
import { addressRanges, isLoopback, plainAddress } from '../../src/http/address-ranges.ts';

const refusal = (text: string): unknown => {
  try {
    return addressRanges([text]);
  } catch (error) {
    return error;
  }
};

describe('a set of addresses', () => {
  it.each([
    ['10.0.0.0/8', ['10.0.0.0', '10.255.255.255'], ['9.255.255.255', '11.0.0.0', '::a00:1']],
    ['10.1.2.3', ['10.1.2.3'], ['10.1.2.2', '10.1.2.4']],
    ['10.1.2.3/32', ['10.1.2.3'], ['10.1.2.2', '10.1.2.4']],
    ['0.0.0.0/0', ['1.2.3.4', '255.255.255.255'], ['fd00::1']],
    ['fd00::/8', ['fd00::1', 'fdff::1'], ['fe00::1', '253.0.0.1']],
    // An IPv4 address is in a range of IPv6 that has its mapped form.
    ['fd00::7', ['fd00::7'], ['fd00::6', 'fd00::8']],
    ['fd00::7/128', ['fd00::7'], ['fd00::6', 'fd00::8']],
    ['::/0', ['::1', 'ffff::', '1.2.3.4'], []],
  ])('of %s', (range, inside, outside) => {
    const ranges = addressRanges([range]);
    expect(ranges.isEmpty).toBe(false);
    expect(inside.filter((address) => !ranges.has(address))).toEqual([]);
    expect(outside.filter((address) => ranges.has(address))).toEqual([]);
  });

  it('has what any of its ranges has', () => {
    const ranges = addressRanges(['10.0.0.0/8', 'fd00::/8', '192.0.2.1']);
    expect(['10.9.9.9', 'fd01::2', '192.0.2.1'].every((address) => ranges.has(address))).toBe(true);
    expect(ranges.has('192.0.2.2')).toBe(false);
  });

  it('has nothing when it is empty', () => {
    const none = addressRanges([]);
    expect(none.isEmpty).toBe(true);
    expect(['10.0.0.1', '::1'].some((address) => none.has(address))).toBe(false);
  });

  it.each([
    ...[
      '',
      'site.example',
      '10.0.0',
      '10.0.0.0/33',
      '10.0.0.0/',
      '10.0.0.0/-1',
      '10.0.0.0/8x',
      '10.0.0.0/x8',
    ],
    ...['fd00::/129', '/8', '10.0.0.0/0008', '10.0.0.0/ 8'],
  ])('is not made of "%s"', (text) => {
    expect(refusal(text)).toMatchObject({
      code: 'CONFIG_INVALID',
      message: `${text} is not an address or a range; write 10.20.0.0/16 or 10.20.0.7`,
    });
  });
});

describe('an address', () => {
  it.each([
    ['10.1.2.3', '10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['::ffff:a01:203', '::ffff:a01:203'],
    ['fd00::10.1.2.3', 'fd00::10.1.2.3'],
    ['', '127.0.0.1'],
    [undefined, '127.0.0.1'],
  ])('%s is written %s', (given, plain) => {
    expect(plainAddress(given)).toBe(plain);
  });

  it('is of this machine in 127.0.0.0/8 and as ::1', () => {
    expect(['127.0.0.1', '127.255.255.255', '::1'].every(isLoopback)).toBe(true);
    expect(['128.0.0.0', '126.255.255.255', '::2', '::'].some(isLoopback)).toBe(false);
  });
});
