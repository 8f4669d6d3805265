import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../lib/clock.ts';
import { type ApiAnswer, type ApiClient, ApiRefusal, type ApiRequest } from '../api-client.ts';
import { CliError, EXIT } from '../exit-code.ts';

/** How long one request is tried again while the appliance is busy, restarting, or its disk is full. */
const PATIENCE_MS = 60_000;
/** Between two tries when nobody answers. */
const UNREACHABLE_MS = 500;

/**
 * Sends a request, and again as long as the answer is "not now": 409, 429 and 503 with `Retry-After`, or no answer. Only for
 * requests that may be repeated: reads, and writes with an idempotency key.
 * @param options.first it is the first request: where nobody answers, nobody is there
 * @throws CliError after a minute; at once what is not a matter of time
 */
export async function sendPatiently(
  client: ApiClient,
  request: ApiRequest,
  { first = false }: { readonly first?: boolean } = {},
): Promise<ApiAnswer> {
  const begun = systemClock.monotonic();
  for (;;) {
    try {
      return await client.send(request);
    } catch (error) {
      const wait = waitFor(error, first);
      if (wait === null || systemClock.monotonic() - begun + wait > PATIENCE_MS) throw error;
      await sleep(wait);
    }
  }
}

function waitFor(error: unknown, first: boolean): number | null {
  if (error instanceof ApiRefusal) return error.retryAfterMs;
  return !first && error instanceof CliError && error.exitCode === EXIT.unreachable ? UNREACHABLE_MS : null;
}
