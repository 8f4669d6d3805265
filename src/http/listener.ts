import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { isIP } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { Fault } from '../faults.ts';
import { type AddressRanges, isLoopback, plainAddress } from './address-ranges.ts';
import type { Face } from './exchange.ts';

/** Where a server can be reached. `mode`: who may open the socket. */
export type Place =
  { readonly host: string; readonly port: number } | { readonly path: string; readonly mode: number };

/** Longest path of a Unix socket (`sun_path` holds 108 bytes with its end). */
const SOCKET_PATH_BYTES = 107;
/** What of the configuration decides where each door is. */
const SECTION: Readonly<Record<Face, string>> = { api: 'http', metrics: 'metrics', operator: 'operator' };
const WILDCARDS: ReadonlySet<string> = new Set(['0.0.0.0', '::']);
/** Connections the kernel may hold before they are accepted. */
const BACKLOG = 511;

/**
 * Whether a server without TLS may listen there: on a Unix socket, on loopback, or in a network named by `allowPlain`.
 * @throws Fault CONFIG_INVALID
 */
export function refuseExposedPlace(face: Face, place: Place, allowPlain: AddressRanges): void {
  if ('path' in place || place.host === 'localhost' || (isIP(place.host) > 0 && isLoopback(place.host)))
    return;
  const named = WILDCARDS.has(place.host)
    ? !allowPlain.isEmpty
    : isIP(place.host) > 0 && allowPlain.has(place.host);
  if (named) return;
  throw new Fault(
    'CONFIG_INVALID',
    `${SECTION[face]}.host ${place.host} is not loopback, and this version has no TLS; listen on 127.0.0.1 behind a proxy, or name the network in http.allowPlain`,
  );
}

/** Whether a peer may be served without TLS: this machine, or a network named by `allowPlain`. */
export function mayServePlain(remoteAddress: string | undefined, allowPlain: AddressRanges): boolean {
  const address = plainAddress(remoteAddress);
  return isLoopback(address) || allowPlain.has(address);
}

/**
 * Starts listening; resolves with the place, its port the one the system chose.
 * @throws Fault CONFIG_INVALID when the place cannot be listened on
 */
export async function startListening(server: Server, face: Face, place: Place): Promise<Place> {
  if ('path' in place) return listenOnSocket(server, place);
  await opened(server, `${SECTION[face]}.host and ${SECTION[face]}.port`, () =>
    server.listen({ host: place.host, port: place.port, backlog: BACKLOG }),
  );
  const { address, port } = server.address() as AddressInfo; // a TCP server that listens has one
  if (place.host === 'localhost' && !isLoopback(plainAddress(address))) {
    server.close();
    throw new Fault('CONFIG_INVALID', 'the name localhost does not lead to loopback here; write 127.0.0.1');
  }
  return { host: address, port };
}

async function listenOnSocket(server: Server, place: { path: string; mode: number }): Promise<Place> {
  const { path, mode } = place;
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES) {
    throw new Fault(
      'CONFIG_INVALID',
      `the socket path ${path} is longer than ${SOCKET_PATH_BYTES} bytes; choose a shorter one`,
    );
  }
  removeStale(path);
  // Between bind and chmod the socket must not be open to others: it is made under a mask that leaves only the owner.
  const before = process.umask(0o177);
  try {
    await opened(server, `the socket ${path}`, () => {
      server.listen({ path, backlog: BACKLOG });
      process.umask(before);
    });
  } finally {
    process.umask(before);
  }
  chmodSync(path, mode);
  return place;
}

/** What a killed process left; the lock of the data directory keeps two live ones apart. Never anything but a socket. */
function removeStale(path: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) {
    throw new Fault(
      'CONFIG_INVALID',
      `${path} exists and is not a socket; move it away or choose another path`,
    );
  }
  rmSync(path);
}

/** @param named what of the configuration says where */
function opened(server: Server, named: string, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const failed = (cause: Error): void => {
      const message = `${named}: cannot listen: ${cause.message}; free it or choose another`;
      reject(new Fault('CONFIG_INVALID', message, { cause }));
    };
    server.once('error', failed);
    server.once('listening', () => {
      server.off('error', failed);
      resolve();
    });
    listen();
  });
}
