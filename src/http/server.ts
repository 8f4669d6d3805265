import {
  createServer as createNodeServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import Koa from 'koa';
import type { AddressRanges } from './address-ranges.ts';
import { capConnections, type ConnectionLimits } from './connections.ts';
import type { Face } from './exchange.ts';
import { invariant } from '../lib/invariant.ts';
import { mayServePlain, type Place, refuseExposedPlace, startListening } from './listener.ts';
import type { Counter } from './metrics.ts';
import type { Parts } from './parts.ts';
import { pipeline, shared, type Shared } from './pipeline.ts';
import { Replays } from './replay.ts';
import { newRequestId } from './request-id.ts';
import type { PathParts } from './request-path.ts';
import type { Route } from './route.ts';
import { RouteTable } from './route-table.ts';
import { refuseUnreadable } from './unreadable.ts';

/** Bounds of one connection (access.md, HTTP hardening): a slow or greedy client is gone before it costs anything. */
const BOUNDS = {
  headersTimeoutMs: 5_000,
  requestTimeoutMs: 15_000,
  checkIntervalMs: 1_000,
  keepAliveTimeoutMs: 65_000, // longer than the minute most proxies keep a connection: they close, not we
  maxHeaderBytes: 8 * 1024,
  requestsPerSocket: 1_000,
} as const;

/** How long a stop waits for requests that run. */
const DRAIN_MS = 10_000;
const DRAIN_CHECK_MS = 20;

/** What a server is made of, besides its pipeline. */
export interface ServerParts<Who, Caller, Demand, Tx> extends Parts<Who, Caller, Demand, Tx> {
  /** What the metrics door serves; the others do not have these. */
  readonly metricsRoutes: readonly Route<Caller, Demand>[];
  readonly limits: ConnectionLimits;
  /** Networks that may be served without TLS, besides this machine. */
  readonly allowPlain: AddressRanges;
}

/** The HTTP server of an appliance, with all its doors. */
export interface HttpServer {
  /**
   * Opens one more door; resolves with its place, its port the one the system chose.
   * @throws Fault CONFIG_INVALID when the place is exposed without TLS, or cannot be listened on
   */
  listen(face: Face, place: Place): Promise<Place>;
  /** Closes all doors, lets running requests finish for at most 10 s, then ends their connections. */
  stop(): Promise<void>;
}

/** A server whose doors stay open while what answers behind them is exchanged. */
export interface SwitchableServer<Who, Caller, Demand, Tx> extends HttpServer {
  /** Every request that begins from here on is answered by `parts`; those that run are finished by what they began with. */
  serve(parts: ServerParts<Who, Caller, Demand, Tx>): void;
}

/** Builds a server; nothing listens until `listen`. */
export function createServer<Who, Caller, Demand, Tx>(
  parts: ServerParts<Who, Caller, Demand, Tx>,
): SwitchableServer<Who, Caller, Demand, Tx> {
  return new Doors(parts);
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

/** What answers behind the doors. */
interface Behind<Who, Caller, Demand, Tx> {
  readonly parts: ServerParts<Who, Caller, Demand, Tx>;
  readonly handlers: Readonly<Record<Face, Handler>>;
  readonly dropped: Counter;
}

class Doors<Who, Caller, Demand, Tx> implements SwitchableServer<Who, Caller, Demand, Tx> {
  #behind: Behind<Who, Caller, Demand, Tx>;
  readonly #servers = new Set<Server>();
  readonly #sockets = new Set<Socket>();
  /** The answer a connection got last, or waits for. */
  readonly #answers = new WeakMap<Socket, ServerResponse>();
  #stopping = false;

  constructor(parts: ServerParts<Who, Caller, Demand, Tx>) {
    this.#behind = this.#open(parts);
  }

  serve(parts: ServerParts<Who, Caller, Demand, Tx>): void {
    this.#behind = this.#open(parts);
  }

  async listen(face: Face, place: Place): Promise<Place> {
    refuseExposedPlace(face, place, this.#behind.parts.allowPlain);
    const server = this.#serverFor(face);
    const opened = await startListening(server, face, place);
    this.#servers.add(server);
    return opened;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    const closed = [...this.#servers].map(closing);
    await Promise.race([Promise.all(closed), this.#drained()]);
    for (const server of this.#servers) server.closeAllConnections();
    await Promise.all(closed);
    this.#servers.clear();
  }

  #open(parts: ServerParts<Who, Caller, Demand, Tx>): Behind<Who, Caller, Demand, Tx> {
    const { metrics } = parts;
    const common = { replays: new Replays(parts.answers), shared: shared(metrics, parts.overload) };
    const api = new RouteTable(parts.routes);
    const dropped = metrics.counter('mintmark_http_connections_dropped_total', 'Connections over a limit.')();
    metrics.gauge('mintmark_http_connections', 'Open connections.', () => [{ value: this.#sockets.size }]);
    const handlers = {
      api: this.#handler('api', { ...parts, ...common, table: api }),
      operator: this.#handler('operator', { ...parts, ...common, table: api }),
      metrics: this.#handler('metrics', { ...parts, ...common, table: new RouteTable(parts.metricsRoutes) }),
    };
    return { parts, handlers, dropped };
  }

  #serverFor(face: Face): Server {
    const handle: Handler = (request, response) => {
      // What was sent behind a request that ends its connection is not read (RFC 9112 §9.6).
      if (this.#answers.get(request.socket)?.shouldKeepAlive === false) return;
      if (this.#stopping) response.shouldKeepAlive = false;
      this.#answers.set(request.socket, response);
      this.#behind.handlers[face](request, response);
    };
    const server = createNodeServer(
      {
        headersTimeout: BOUNDS.headersTimeoutMs,
        requestTimeout: BOUNDS.requestTimeoutMs,
        connectionsCheckingInterval: BOUNDS.checkIntervalMs,
        keepAliveTimeout: BOUNDS.keepAliveTimeoutMs,
        maxHeaderSize: BOUNDS.maxHeaderBytes,
        noDelay: true,
        requireHostHeader: false, // refused by the pipeline, with a problem document
      },
      handle,
    );
    server.maxRequestsPerSocket = BOUNDS.requestsPerSocket;
    // `100-continue` is answered when the body is wanted, not before its sender is known.
    server.on('checkContinue', handle);
    server.on('checkExpectation', handle);
    server.on('clientError', (error, socket) => this.#unreadable(error, socket));
    this.#guard(server, face);
    return server;
  }

  #handler(face: Face, path: PathParts<Who, Caller, Demand, Tx> & { readonly shared: Shared }): Handler {
    const app = new Koa<{ exchange: never }>();
    for (const middleware of pipeline(path, face, path.shared)) app.use(middleware);
    // Only what the pipeline itself gets wrong comes here; koa would print it.
    app.on('error', (error: unknown) => path.log.error('request failed outside the pipeline', { error }));
    const callback = app.callback();
    return (request, response) => {
      void callback(request, response);
    };
  }

  #guard(server: Server, face: Face): void {
    const { limits, proxies, allowPlain } = this.#behind.parts;
    server.on('connection', (socket: Socket) => {
      if (!mayServePlain(socket.remoteAddress, allowPlain)) {
        socket.destroy();
        return;
      }
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    // The local administrator gets in even when strangers have taken every connection of the other doors.
    const dropped = (): void => this.#behind.dropped.add();
    if (face !== 'operator') capConnections(server, limits, { exempt: proxies, dropped });
  }

  #unreadable(error: Error & { code?: string }, socket: Duplex): void {
    invariant(socket instanceof Socket, 'a server without TLS gives the connection itself');
    const answer = this.#answers.get(socket);
    const answering = answer?.headersSent === true && !answer.writableFinished;
    // An answer is under way already, or nobody is there: there is nothing to say.
    if (error.code === 'ECONNRESET' || !socket.writable || answering) {
      socket.destroy();
      return;
    }
    const { parts } = this.#behind;
    refuseUnreadable(socket, error, { requestId: newRequestId(parts), standing: parts.standing });
  }

  /** Resolves when no connection is left, or when waiting any longer helps nobody. */
  async #drained(): Promise<void> {
    const { clock } = this.#behind.parts;
    const until = clock.monotonic() + DRAIN_MS;
    while (this.#sockets.size > 0 && clock.monotonic() < until) {
      // A connection whose last request has just ended waits for the next one: there will be none.
      for (const server of this.#servers) server.closeIdleConnections();
      await new Promise((resolve) => setTimeout(resolve, DRAIN_CHECK_MS));
    }
  }
}

function closing(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
