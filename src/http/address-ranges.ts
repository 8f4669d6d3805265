import { BlockList, isIP } from 'node:net';
import { Fault } from '../faults.ts';

/** IPv4 written as IPv6 (RFC 4291 §2.5.5.2), as a dual-stack socket gives it. */
const MAPPED = '::ffff:';

/** A set of addresses, from single ones and CIDR ranges. */
export interface AddressRanges {
  has(address: string): boolean;
  readonly isEmpty: boolean;
}

/**
 * Reads `10.0.0.0/8`, `fd00::/8`, `10.1.2.3`.
 * @throws Fault CONFIG_INVALID when one of them is not an address or a range
 */
export function addressRanges(texts: readonly string[]): AddressRanges {
  const list = new BlockList();
  for (const text of texts) addRange(list, text);
  return {
    has: (address) => texts.length > 0 && list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4'),
    isEmpty: texts.length === 0,
  };
}

function addRange(list: BlockList, text: string): void {
  const [address = '', bits] = text.split('/');
  const version = isIP(address);
  const all = version === 6 ? 128 : 32;
  const prefix = bits === undefined ? all : /^\d{1,3}$/.test(bits) ? Number(bits) : -1;
  if (version === 0 || prefix < 0 || prefix > all) {
    throw new Fault(
      'CONFIG_INVALID',
      `${text} is not an address or a range; write 10.20.0.0/16 or 10.20.0.7`,
    );
  }
  list.addSubnet(address, prefix, version === 6 ? 'ipv6' : 'ipv4');
}

/** One spelling of an address; the peer of a Unix socket counts as this machine. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined || address === '') return '127.0.0.1';
  return address.startsWith(MAPPED) && address.includes('.') ? address.slice(MAPPED.length) : address;
}

const LOOPBACK = addressRanges(['127.0.0.0/8', '::1/128']);

/** Whether an address is this machine's own. */
export function isLoopback(address: string): boolean {
  return LOOPBACK.has(address);
}
