import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { type AddressRanges, plainAddress } from './address-ranges.ts';

/** Proxies in a row; a longer list of hops is not read. */
const HOPS_LIMIT = 16;

/**
 * The client's address: the socket's, or, when that is a trusted proxy, the rightmost hop that is not one. What stands
 * further left was written by anybody. The same value serves address lists, limits, logs and the ledger.
 */
export function clientAddress(request: IncomingMessage, proxies: AddressRanges): string {
  const peer = plainAddress(request.socket.remoteAddress);
  if (proxies.isEmpty || !proxies.has(peer)) return peer;
  const lists = [forwardedFor(request), forwarded(request)].filter((list) => list !== undefined);
  const clients = new Set(lists.map((hops) => rightmost(hops, { proxies, peer })));
  // Two headers that disagree: one of them is the client's own invention, and nobody can say which.
  const [client] = clients;
  return clients.size === 1 && client !== undefined ? client : peer;
}

function rightmost(hops: readonly string[], from: { proxies: AddressRanges; peer: string }): string {
  let nearest = from.peer;
  for (const hop of hops.slice(-HOPS_LIMIT).reverse()) {
    if (isIP(hop) === 0) return nearest;
    nearest = hop;
    if (!from.proxies.has(hop)) return hop;
  }
  return nearest;
}

function forwardedFor(request: IncomingMessage): string[] | undefined {
  const value = request.headers['x-forwarded-for'];
  const text = Array.isArray(value) ? value.join(',') : value;
  return text?.split(',').map((hop) => bareAddress(hop.trim()));
}

/** RFC 7239 §4: the `for` parameter of each element. */
function forwarded(request: IncomingMessage): string[] | undefined {
  return request.headers.forwarded?.split(',').map((element) => {
    const pair = element.split(';').find((part) => /^\s*for=/i.test(part));
    return bareAddress((pair ?? '').trim().slice('for='.length).replaceAll('"', ''));
  });
}

/** Without port and brackets: `[fd00::1]:443`, `10.0.0.1:443`. */
function bareAddress(hop: string): string {
  if (hop.startsWith('[')) return plainAddress(hop.slice(1, Math.max(1, hop.indexOf(']'))));
  const port = hop.indexOf(':');
  const isV4WithPort = port >= 0 && hop.indexOf(':', port + 1) < 0;
  const bare = isV4WithPort ? hop.slice(0, port) : hop;
  return bare === '' ? '-' : plainAddress(bare);
}
