import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { Fault } from '../../src/faults.ts';
import { addressRanges } from '../../src/http/address-ranges.ts';
import { standingHeaders } from '../../src/http/headers.ts';
import type { Log } from '../../src/http/log.ts';
import { Metrics } from '../../src/http/metrics.ts';
import { Overload } from '../../src/http/overload.ts';
import type { Identified, Presented, Refused, Used } from '../../src/http/parts.ts';
import type { Limits } from '../../src/http/quota.ts';
import type { AnswerSlot, AnswerStore, FoundAnswer, KeptAnswer } from '../../src/http/replay.ts';
import type { Route } from '../../src/http/route.ts';
import { createServer, type HttpServer, type ServerParts } from '../../src/http/server.ts';
import { metricsRoute } from '../../src/http/standing-routes.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { systemRandom } from '../../src/lib/random.ts';

/** In these tests a caller is a name, and a demand is who may. */
export interface TestPermit {
  readonly name: string;
  remember(tx: TestTx, result: unknown): void;
}
export type TestDemand = 'anybody' | 'somebody';
export type TestRoute = Route<TestPermit, TestDemand>;

/** A unit of work that is all or nothing: what it keeps is there after `commit`. */
export type TestTx = (() => void)[];

/** One log line. */
export interface Line {
  readonly level: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A server with its doors open, and what it told the world outside. */
export interface Door extends AsyncDisposable {
  readonly port: number;
  readonly server: HttpServer;
  readonly lines: Line[];
  readonly refusals: Refused<string>[];
  readonly uses: Used<string>[];
  readonly metrics: Metrics;
  readonly answers: MemoryAnswers;
  fetch(path: string, init?: RequestInit): Promise<Response>;
}

type TestParts = ServerParts<string, TestPermit, TestDemand, TestTx>;

/** Counts nothing, and says so in the headers of every answer. */
const UNLIMITED: Limits<string> = {
  count: () => Promise.resolve(undefined),
  failures: () => Promise.resolve({ headers: ['RateLimit-Policy', '"failures";q=60;w=60'] }),
};

/** Opens a server on a free loopback port. */
export async function openDoor(
  routes: readonly TestRoute[],
  choices: Partial<TestParts> = {},
): Promise<Door> {
  const lines: Line[] = [];
  const refusals: Refused<string>[] = [];
  const uses: Used<string>[] = [];
  const metrics = new Metrics();
  const answers = new MemoryAnswers();
  const server = createServer<string, TestPermit, TestDemand, TestTx>({
    routes,
    metricsRoutes: [metricsRoute('anybody', metrics)],
    identify,
    authorise: (who, demand, asked) => {
      if (demand === 'somebody' && who === 'anonymous')
        return { allowed: false, code: 'UNAUTHENTICATED', rule: 'test' };
      const remember = (tx: TestTx, result: unknown): void => asked.keep?.(tx, result);
      return { allowed: true, permit: { name: who, remember }, rule: 'test' };
    },
    refused: (refusal) => void refusals.push(refusal),
    used: (use) => void uses.push(use),
    requestLimits: UNLIMITED,
    overload: new Overload({ delayLimitMs: 10_000, waiting: () => 0 }),
    answers,
    beforeAnswer: () => Promise.resolve(),
    log: collectingLog(lines),
    metrics,
    clock: systemClock,
    random: systemRandom,
    proxies: addressRanges([]),
    standing: standingHeaders({}),
    limits: { total: 512, perAddress: 256 },
    allowPlain: addressRanges([]),
    ...choices,
  });
  const place = await server.listen('api', { host: '127.0.0.1', port: 0 });
  const port = 'port' in place ? place.port : 0;
  return {
    port,
    server,
    lines,
    refusals,
    uses,
    metrics,
    answers,
    fetch: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

/** `Authorization: Bearer <name>`; the name `nobody` is known to no one. */
function identify(presented: Presented): Identified<string> {
  const name = presented.authorization?.replace('Bearer ', '') ?? 'anonymous';
  if (name !== 'nobody') return { known: true, who: name, name, anonymous: name === 'anonymous' };
  return { known: false, fault: new Fault('UNAUTHENTICATED', 'nobody knows nobody'), rule: 'test' };
}

function collectingLog(lines: Line[]): Log {
  const at =
    (level: string) =>
    (message: string, fields = {}) =>
      void lines.push({ level, message, fields });
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
}

/** Answers kept in memory, in the same all-or-nothing way as in a database. */
export class MemoryAnswers implements AnswerStore<TestPermit, TestTx> {
  readonly rows = new Map<string, AnswerSlot & KeptAnswer>();

  scopeOf(caller: TestPermit): string {
    return caller.name;
  }

  find(caller: TestPermit, slot: AnswerSlot): FoundAnswer | undefined {
    const row = this.rows.get(JSON.stringify([caller.name, slot.route, slot.key]));
    return row === undefined ? undefined : { ...row, same: row.request === slot.request };
  }

  keep(tx: TestTx, caller: TestPermit, kept: AnswerSlot & KeptAnswer): void {
    tx.push(() => this.rows.set(JSON.stringify([caller.name, kept.route, kept.key]), kept));
  }

  keepAlone(caller: TestPermit, kept: AnswerSlot & KeptAnswer): Promise<void> {
    this.rows.set(JSON.stringify([caller.name, kept.route, kept.key]), kept);
    return Promise.resolve();
  }
}

/** Sends bytes as they are and returns all that came back until the other side closed, or fell silent. */
export function raw(port: number, bytes: string | Buffer, quietMs = 400): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const chunks: Buffer[] = [];
    const end = (): void => {
      socket.destroy();
      resolve(Buffer.concat(chunks).toString('latin1'));
    };
    socket.setTimeout(quietMs, end);
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', end);
    socket.on('close', end);
    socket.write(bytes);
  });
}

/** Status of the first answer in raw bytes; 0 when there is none. */
export function statusIn(text: string): number {
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0);
}

/** A request with Node's client, for what `fetch` does not let one send. */
export function send(
  port: number,
  options: {
    readonly method: string;
    readonly path: string;
    readonly headers?: Record<string, string | string[]>;
  },
): Promise<{ status: number; headers: NodeJS.Dict<string | string[]>; body: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, agent: false, ...options }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks).toString('utf8'),
        }),
      );
    });
    request.on('error', reject);
    request.end();
  });
}
