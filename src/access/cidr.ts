import { BlockList, isIP } from 'node:net';

/** A range of addresses, e.g. `10.20.0.0/16`. */
export interface Cidr {
  readonly family: 'ipv4' | 'ipv6';
  readonly address: string;
  readonly bits: number;
}

const WIDTH = { ipv4: 32, ipv6: 128 } as const;

/** Reads a range, or a single address as the range of itself; undefined when it is neither. */
export function parseCidr(text: string): Cidr | undefined {
  const [address = '', bits, ...rest] = text.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0 || address.includes('%')) return undefined;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  if (bits === undefined) return { family, address, bits: WIDTH[family] };
  if (!/^(?:0|[1-9]\d{0,2})$/.test(bits) || Number(bits) > WIDTH[family]) return undefined;
  return { family, address, bits: Number(bits) };
}

/** Whether an address lies in one of the ranges; an empty list allows every address. */
export function cidrsAllow(texts: readonly string[], address: string): boolean {
  if (texts.length === 0) return true;
  const family = familyOf(address);
  return family !== undefined && blockOf(texts).check(address, family);
}

/** Whether every range of `inner` lies inside one of `outer`; an empty list is every address there is. */
export function cidrsWithin(inner: readonly string[], outer: readonly string[]): boolean {
  if (outer.length === 0) return true;
  return inner.length > 0 && inner.every((text) => outer.some((around) => within(text, around)));
}

function within(inner: string, outer: string): boolean {
  const [small, large] = [parseCidr(inner), parseCidr(outer)];
  if (small === undefined || large === undefined || small.family !== large.family) return false;
  return small.bits >= large.bits && blockOf([outer]).check(small.address, small.family);
}

function blockOf(texts: readonly string[]): BlockList {
  const list = new BlockList();
  for (const text of texts) {
    const cidr = parseCidr(text);
    if (cidr !== undefined) list.addSubnet(cidr.address, cidr.bits, cidr.family);
  }
  return list;
}

function familyOf(address: string): Cidr['family'] | undefined {
  const version = isIP(address);
  if (version === 0) return undefined;
  return version === 4 ? 'ipv4' : 'ipv6';
}
