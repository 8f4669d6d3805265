import { describe, expect, it } from 'vitest';
import { cidrsAllow, cidrsWithin, parseCidr } from '../../src/access/cidr.ts';

describe('address ranges', () => {
  it.each([
    ['10.0.0.0/8', 'ipv4', '10.0.0.0', 8],
    ['10.1.2.3', 'ipv4', '10.1.2.3', 32],
    ['10.1.2.3/32', 'ipv4', '10.1.2.3', 32],
    ['0.0.0.0/0', 'ipv4', '0.0.0.0', 0],
    ['fd00::/8', 'ipv6', 'fd00::', 8],
    ['::1', 'ipv6', '::1', 128],
    ['::1/128', 'ipv6', '::1', 128],
    ['2001:db8::/32', 'ipv6', '2001:db8::', 32],
  ])('read %s', (...row) => {
    const [text, family, address, bits] = row;
    expect(parseCidr(text)).toEqual({ family, address, bits });
  });

  it.each([
    '',
    '10.0.0.0/33',
    '10.0.0/8',
    'fd00::/129',
    '10.0.0.0/08',
    '10.0.0.0/8/8',
    'host',
    'fe80::1%eth0',
    '1.2.3.4/-1',
  ])('refuse %j', (text) => {
    expect(parseCidr(text)).toBeUndefined();
  });

  it('allow every address when there are none', () => {
    expect(cidrsAllow([], '203.0.113.9')).toBe(true);
  });

  it('allow what lies in one of them', () => {
    const ranges = ['10.20.0.0/16', 'fd00::/8'];
    expect(cidrsAllow(ranges, '10.20.255.1')).toBe(true);
    expect(cidrsAllow(ranges, 'fd12::1')).toBe(true);
    expect(cidrsAllow(ranges, '10.21.0.1')).toBe(false);
    expect(cidrsAllow(ranges, '::1')).toBe(false);
    expect(cidrsAllow(ranges, 'no address')).toBe(false);
  });

  it('allow nobody where none of them can be read', () => {
    expect(cidrsAllow(['nonsense', '10.0.0.0/99'], '10.0.0.1')).toBe(false);
    expect(cidrsAllow(['nonsense', '10.0.0.0/8'], '10.0.0.1')).toBe(true);
  });

  it.each([
    [['nonsense'], ['10.0.0.0/8'], false],
    [['10.1.0.0/16'], ['nonsense'], false],
    [['nonsense'], ['nonsense'], false],
    [['::ffff:10.0.0.1'], ['10.0.0.0/8'], false],
    [['10.1.0.0/16'], ['10.0.0.0/8'], true],
    [['10.0.0.0/8'], ['10.0.0.0/8'], true],
    [['10.0.0.0/7'], ['10.0.0.0/8'], false],
    [['11.0.0.0/16'], ['10.0.0.0/8'], false],
    [['10.1.0.0/16', '192.168.0.1'], ['10.0.0.0/8'], false],
    [['10.1.0.0/16', '192.168.0.1'], ['10.0.0.0/8', '192.168.0.0/24'], true],
    [['fd00::/16'], ['fd00::/8'], true],
    [['10.0.0.1'], ['::/0'], false],
    [[], ['10.0.0.0/8'], false],
    [[], [], true],
    [['0.0.0.0/0'], [], true],
  ])('%j within %j is %s', (inner, outer, within) => {
    expect(cidrsWithin(inner, outer)).toBe(within);
  });
});
