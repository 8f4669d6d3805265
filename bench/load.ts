import { Client } from 'undici';

/** One request of a load. */
export interface LoadRequest {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly body?: string;
}

/** A closed loop: each connection sends its next request when the last was answered. */
export interface LoadPlan {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  /** How many requests in all. */
  readonly requests: number;
  /** The request number `i`. */
  readonly request: (i: number) => LoadRequest;
  /** Looks at every answer; throws when it is not what it should be. */
  readonly check: (i: number, status: number, body: string) => void;
}

/** What a load measured. */
export interface LoadResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Runs a load to its end. Every answer is checked: a rate of wrong answers is no rate. */
export async function runLoad(plan: LoadPlan): Promise<LoadResult> {
  const latencies = new Float64Array(plan.requests);
  let next = 0;
  const clients = Array.from({ length: plan.connections }, () => new Client(plan.url, { pipelining: 1 }));
  const started = performance.now();
  await Promise.all(
    clients.map(async (client) => {
      while (next < plan.requests) {
        const i = next++;
        latencies[i] = await sendOne(client, plan, i);
      }
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  await Promise.all(clients.map((client) => client.close()));
  latencies.sort();
  return {
    perSecond: plan.requests / seconds,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
  };
}

async function sendOne(client: Client, plan: LoadPlan, i: number): Promise<number> {
  const { method, path, body } = plan.request(i);
  const started = performance.now();
  const answer = await client.request({ method, path, headers: plan.headers, body: body ?? null });
  const text = await answer.body.text();
  const took = performance.now() - started;
  plan.check(i, answer.statusCode, text);
  return took;
}

function quantile(sorted: Float64Array, q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? 0;
}

/** Throws unless the answer has this status. */
export function expectStatus(expected: number): LoadPlan['check'] {
  return (i, status, body) => {
    if (status !== expected)
      throw new Error(`request ${String(i)} was answered ${String(status)}: ${body.slice(0, 300)}`);
  };
}
