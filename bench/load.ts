import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from 'undici';
import { type Latency, latencyOf } from './latency.ts';

/** One request of a load. */
export interface LoadRequest {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly body?: string;
  /** Besides those of the plan. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Under which name its latency is reported, besides all together. */
  readonly kind?: string;
}

/** What came back. */
export interface LoadAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

/** Looks at the answer to request number `i`; throws when it is not what it should be. */
export type Check = (i: number, answer: LoadAnswer) => void;

/** What is asked, and what the answer must be. */
export interface Asking {
  /** The request number `i`. */
  readonly request: (i: number) => LoadRequest;
  readonly check: Check;
}

/** A load. */
export interface LoadPlan extends Asking {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly connections: number;
  /** How many requests in all. */
  readonly requests: number;
  /**
   * Left out: a closed loop, each connection sends its next request when the last was answered. Else requests are due at
   * this rate, whatever the answers do, and latency counts from when a request was due.
   */
  readonly duePerSecond?: number;
}

/** What a load measured. */
export interface LoadResult {
  readonly perSecond: number;
  readonly latency: Latency;
  readonly byKind: Readonly<Record<string, Latency>>;
}

/** Runs a load to its end. Every answer is checked: a rate of wrong answers is no rate. */
export async function runLoad(plan: LoadPlan): Promise<LoadResult> {
  const load = new Load(plan);
  const clients = Array.from({ length: plan.connections }, () => new Client(plan.url, { pipelining: 1 }));
  const started = performance.now();
  try {
    await Promise.all(clients.map((client) => load.lane(client, started)));
    const seconds = (performance.now() - started) / 1000;
    return load.result(seconds);
  } finally {
    await Promise.all(clients.map((client) => client.close()));
  }
}

class Load {
  readonly #plan: LoadPlan;
  readonly #latencies: Float64Array;
  readonly #kinds: (string | undefined)[] = [];
  #next = 0;

  constructor(plan: LoadPlan) {
    this.#plan = plan;
    this.#latencies = new Float64Array(plan.requests);
  }

  async lane(client: Client, started: number): Promise<void> {
    while (this.#next < this.#plan.requests) {
      const i = this.#next++;
      const due = await this.#due(i, started);
      this.#latencies[i] = await this.#sendOne(client, i, due);
    }
  }

  async #due(i: number, started: number): Promise<number> {
    const { duePerSecond } = this.#plan;
    if (duePerSecond === undefined) return performance.now();
    const due = started + (i * 1000) / duePerSecond;
    const early = due - performance.now();
    if (early > 0) await sleep(early);
    return due;
  }

  async #sendOne(client: Client, i: number, due: number): Promise<number> {
    const { method, path, body, headers, kind } = this.#plan.request(i);
    this.#kinds[i] = kind;
    const sent = { ...this.#plan.headers, ...headers };
    const answer = await client.request({ method, path, headers: sent, body: body ?? null });
    const text = await answer.body.text();
    const took = performance.now() - due;
    this.#plan.check(i, { status: answer.statusCode, headers: answer.headers, body: text });
    return took;
  }

  result(seconds: number): LoadResult {
    const byKind = new Map<string, number[]>();
    for (const [i, took] of this.#latencies.entries()) {
      const kind = this.#kinds[i];
      if (kind === undefined) continue;
      const known = byKind.get(kind) ?? [];
      known.push(took);
      byKind.set(kind, known);
    }
    return {
      perSecond: this.#plan.requests / seconds,
      latency: latencyOf(this.#latencies),
      byKind: Object.fromEntries([...byKind].map(([kind, all]) => [kind, latencyOf(all)])),
    };
  }
}

/** Throws unless the answer has this status. */
export function expectStatus(expected: number): Check {
  return (i, { status, body }) => {
    if (status !== expected) throw new Error(`request ${i} was answered ${status}: ${body.slice(0, 300)}`);
  };
}

/** The `data` of an answer that must have this status. */
export function dataIn(expected: number, i: number, answer: LoadAnswer): Readonly<Record<string, unknown>> {
  expectStatus(expected)(i, answer);
  return (JSON.parse(answer.body) as { data: Record<string, unknown> }).data; // every single resource is in `data`
}
