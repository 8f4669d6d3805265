import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { type AddressRanges, plainAddress } from './address-ranges.ts';

/** How many connections there may be. */
export interface ConnectionLimits {
  readonly total: number;
  /** From one address; trusted proxies carry many clients and are exempt. */
  readonly perAddress: number;
}

/**
 * Caps connections. What is too much is closed before a byte is read: there is nothing to answer, and an answer would
 * cost what the cap is there to save.
 */
export function capConnections(
  server: Server,
  limits: ConnectionLimits,
  given: { readonly exempt: AddressRanges; readonly dropped: () => void },
): void {
  const open = new Map<string, number>();
  server.maxConnections = limits.total;
  server.on('drop', given.dropped);
  server.on('connection', (socket: Socket) => {
    if (socket.remoteAddress === undefined) return; // a Unix socket: who may open it is decided by its mode
    const address = plainAddress(socket.remoteAddress);
    if (given.exempt.has(address)) return;
    const count = (open.get(address) ?? 0) + 1;
    open.set(address, count);
    socket.once('close', () => closed(open, address));
    if (count <= limits.perAddress) return;
    given.dropped();
    socket.destroy();
  });
}

function closed(open: Map<string, number>, address: string): void {
  const left = (open.get(address) ?? 1) - 1;
  if (left > 0) open.set(address, left);
  else open.delete(address);
}
