import type { Context, Middleware, Next } from 'koa';
import { Fault } from '../faults.ts';
import { ClientGone } from './body.ts';
import { Exchange, type Face } from './exchange.ts';
import type { Counter, Histogram, Metrics } from './metrics.ts';
import type { Overload } from './overload.ts';
import type { Parts } from './parts.ts';
import { problemOf } from './problem.ts';
import { echoedRequestId, newRequestId, traceIdOf } from './request-id.ts';
import { answerRequest, type PathParts } from './request-path.ts';
import { sayQuota } from './request-quota.ts';
import { refuseAmbiguous } from './strict-http.ts';

/** Seconds: from a read answered from memory to a slow token. */
const DURATIONS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** What the log shows when the client went away before an answer; no client ever sees it. */
const STATUS_CLIENT_GONE = 499;

/** What a middleware keeps of one request. */
interface State {
  exchange: Exchange;
}

/** What all doors of one server share: the counters, and how many requests run. */
export interface Shared {
  readonly measure: (exchange: Exchange, durationMs: number) => void;
  readonly bounded: Middleware<State>;
}

/** Registers the counters of a server. */
export function shared(metrics: Metrics, overload: Overload): Shared {
  return { measure: measures(metrics), bounded: bounded(metrics, overload) };
}

/** Everything a request goes through, in order. */
export function pipeline<Who, Caller, Demand, Tx>(
  parts: PathParts<Who, Caller, Demand, Tx>,
  face: Face,
  common: Shared,
): Middleware<State>[] {
  return [
    observed(parts, face, common.measure), // one log line and one count for every request, whatever becomes of it
    problems(parts), //     whatever is thrown below becomes a problem document
    common.bounded, //      not more at a time than this process can finish
    unambiguous, //         what a proxy may have understood differently is refused
    requestPath(parts), //  route → shed → identify → count → authorise → read → count → handle → answer
  ];
}

type Observed = Pick<
  PathParts<unknown, unknown, unknown, unknown>,
  'log' | 'metrics' | 'clock' | 'random' | 'standing' | 'proxies'
>;

function observed(parts: Observed, face: Face, measure: Shared['measure']): Middleware<State> {
  return async (context: Context, next: Next) => {
    const exchange = begin(parts, face, context);
    context.state['exchange'] = exchange;
    // The answer is written by the exchange, in one pass; koa's own writer would go over it again.
    context.respond = false;
    await next();
    const durationMs = parts.clock.monotonic() - exchange.startedAt;
    measure(exchange, durationMs);
    exchange.answered?.(exchange);
    writeLine(parts, exchange, durationMs);
  };
}

function begin(parts: Observed, face: Face, context: Context): Exchange {
  const { req: request, res: response } = context;
  const { headers } = request;
  const given = headers['x-request-id'];
  const ownRequestId = newRequestId(parts);
  return new Exchange({
    request,
    response,
    face,
    requestId: echoedRequestId(typeof given === 'string' ? given : undefined) ?? ownRequestId,
    ownRequestId,
    traceId: traceIdOf(typeof headers['traceparent'] === 'string' ? headers['traceparent'] : undefined),
    startedAt: parts.clock.monotonic(),
    standing: parts.standing,
    proxies: parts.proxies,
  });
}

/** Series are looked up once per route and class of status. */
function measures(metrics: Metrics): Shared['measure'] {
  const requests = metrics.counter(
    'mintmark_http_requests_total',
    'Requests answered, by route and class of status.',
  );
  const durations = metrics.histogram(
    'mintmark_http_request_seconds',
    'Time to answer, by kind of route.',
    DURATIONS,
  );
  const problemCount = metrics.counter(
    'mintmark_http_problems_total',
    'Requests refused or failed, by code.',
  );
  const known = new Map<string, { requests: Counter; durations: Histogram }>();
  return (exchange, durationMs) => {
    const { route, routeClass, code } = exchange;
    const status = `${Math.floor(exchange.status / 100)}xx`;
    let series = known.get(`${route} ${status}`);
    if (series === undefined) {
      series = { requests: requests({ route, status }), durations: durations({ class: routeClass }) };
      known.set(`${route} ${status}`, series);
    }
    series.requests.add();
    series.durations.observe(durationMs / 1000);
    if (code !== undefined) problemCount({ code }).add();
  };
}

function writeLine(parts: Observed, exchange: Exchange, durationMs: number): void {
  const { requestId, ownRequestId, traceId, route, ids, status, caller, code, address, error } = exchange;
  const fields = {
    requestId,
    ...(requestId !== ownRequestId && { ownRequestId }),
    ...(traceId !== undefined && { traceId }),
    route,
    ...(ids !== undefined && { ids }),
    status,
    ...(code !== undefined && { code }),
    ms: Math.round(durationMs * 100) / 100,
    caller,
    address,
  };
  if (error === undefined) parts.log.info('request', fields);
  else parts.log.error('request failed', { ...fields, error });
}

function problems(
  parts: Pick<Parts<unknown, unknown, unknown, unknown>, 'requestLimits'>,
): Middleware<State> {
  return async (context, next) => {
    try {
      await next();
    } catch (error) {
      const exchange = exchangeOf(context);
      await sayQuota(parts, exchange);
      await refuse(exchange, error);
    }
  };
}

async function refuse(exchange: Exchange, error: unknown): Promise<void> {
  if (error instanceof ClientGone) {
    exchange.status = STATUS_CLIENT_GONE;
    return;
  }
  const problem = problemOf(error, exchange.requestId);
  // A fault that is the caller's is in the line by its code; what is ours has its stack there, and only there.
  if (!(error instanceof Fault) || problem.status === 500) exchange.error = error;
  await exchange.refuse(problem);
}

function bounded(metrics: Metrics, overload: Overload): Middleware<State> {
  metrics.gauge('mintmark_http_requests_running', 'Requests being worked on.', () => [
    { value: overload.running },
  ]);
  metrics.gauge('mintmark_event_loop_delay_seconds', 'How late timers come, smoothed.', () => [
    { value: overload.delayMs / 1000 },
  ]);
  return async (_context, next) => {
    overload.begin();
    try {
      await next();
    } finally {
      overload.end();
    }
  };
}

function unambiguous(context: Context, next: Next): Promise<unknown> {
  try {
    refuseAmbiguous(context.req);
  } catch (error) {
    // Where a request ends that we do not understand is not certain: nothing that follows on its connection is read.
    context.res.shouldKeepAlive = false;
    throw error;
  }
  return next();
}

function requestPath<Who, Caller, Demand, Tx>(parts: PathParts<Who, Caller, Demand, Tx>): Middleware<State> {
  return (context) => answerRequest(parts, exchangeOf(context));
}

function exchangeOf(context: { readonly state: object }): Exchange {
  return (context.state as State).exchange; // set by `observed`, before anything else
}
