import { isIPv4, isIPv6 } from 'node:net';

/** How an address that is none is counted (a Unix socket, a broken proxy header). */
const UNKNOWN = 'unknown';
const PREFIX_GROUPS = 4;
const MAPPED = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

/** The network an address is in: /24 of IPv4 (also when mapped into IPv6), /64 of IPv6, in one spelling. */
export function addressPrefix(address: string): string {
  const [host = ''] = address.split('%');
  const plain = MAPPED.exec(host)?.[1] ?? host;
  if (isIPv4(plain)) return `${plain.split('.').slice(0, 3).join('.')}.0/24`;
  return isIPv6(plain) ? `${firstGroups(plain).join(':')}::/64` : UNKNOWN;
}

/** The first four groups of an IPv6 address, with the zeros that `::` stands for. */
function firstGroups(address: string): string[] {
  const [head = '', tail] = address.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const total = 8 - right.reduce((sum, group) => sum + (group.includes('.') ? 1 : 0), 0);
  const zeros = tail === undefined ? 0 : total - left.length - right.length;
  const groups = [...left, ...Array<string>(Math.max(0, zeros)).fill('0'), ...right];
  return groups.slice(0, PREFIX_GROUPS).map((group) => group.toLowerCase().replace(/^0+(?=.)/, ''));
}
