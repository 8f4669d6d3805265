import { isIPv6 } from 'node:net';
import { addressPrefix } from '../ledger/index.ts';

/**
 * Whom an address is counted for: one IPv4 address, or the /64 of an IPv6 address in one spelling. A single host has as
 * many addresses in its /64 as it likes.
 */
export function networkOf(address: string): string {
  return isIPv6(address) ? addressPrefix(address) : address;
}
