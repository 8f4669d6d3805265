import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import { newId } from '../lib/ulid.ts';

const ECHOED = /^[A-Za-z0-9._-]{1,64}$/;
/** W3C Trace Context §3.2: version, trace id, parent id, flags. */
const TRACEPARENT = /^[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/;
const NO_TRACE = '0'.repeat(32);
const NO_PARENT = '0'.repeat(16);

/** A request's name, ours: what the record says. */
export function newRequestId(sources: { readonly clock: Clock; readonly random: Random }): string {
  return newId('request', sources.clock.wall(), sources.random);
}

/** The caller's `X-Request-Id` when it is harmless in logs and headers; undefined when there is none, or it is not. */
export function echoedRequestId(given: string | undefined): string | undefined {
  return given !== undefined && ECHOED.test(given) ? given : undefined;
}

/** The trace id of a `traceparent` header; undefined when there is none, or none that is valid. */
export function traceIdOf(traceparent: string | undefined): string | undefined {
  if (traceparent === undefined) return undefined;
  const found = TRACEPARENT.exec(traceparent);
  if (found === null || traceparent.startsWith('ff') || found[2] === NO_PARENT) return undefined;
  return found[1] === NO_TRACE ? undefined : found[1];
}
