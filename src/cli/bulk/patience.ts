import { writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../lib/clock.ts';
import { type ApiAnswer, type ApiClient, ApiRefusal, type ApiRequest } from '../api-client.ts';
import { CliError, EXIT } from '../exit-code.ts';
import { harmless } from '../terminal.ts';

/** How long one request is tried again while the appliance is busy, restarting, or its disk is full. */
const PATIENCE_MS = 60_000;
/** Shorter pauses are not spoken of. */
const WORTH_TELLING_MS = 2000;
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
      if (wait >= WORTH_TELLING_MS) tellOnce(client, error);
      await sleep(wait);
    }
  }
}

/** Programs that have said once what they wait for: a long export waits each second. */
const told = new WeakSet<ApiClient>();

function tellOnce(client: ApiClient, error: unknown): void {
  if (told.has(client)) return;
  told.add(client);
  writeSync(2, `${process.stderr.isTTY ? '\r\u001b[K' : ''}waiting: ${reasonOf(error)}\n`);
}

/** An import into an appliance that is slow for its tier is no program that hangs. */
function reasonOf(error: unknown): string {
  const isRate = error instanceof ApiRefusal && error.code === 'RATE_LIMITED';
  if (isRate)
    return 'the appliance takes so many requests a minute from this credential (docs/http.md, Limits)';
  return error instanceof Error ? harmless(error.message) : String(error);
}

function waitFor(error: unknown, first: boolean): number | null {
  if (error instanceof ApiRefusal) return error.retryAfterMs;
  return !first && error instanceof CliError && error.exitCode === EXIT.unreachable ? UNREACHABLE_MS : null;
}
