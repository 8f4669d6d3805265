import { Pool } from 'undici';
import type { Answered } from './daemon.ts';

/** One request of many. */
export interface OneRequest {
  readonly method: string;
  /** Below `/api/v1`. */
  readonly path: string;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Clients at several addresses of this machine, so that limits per address do not speak for all of them. */
export interface Crowd {
  /** Sends one request from the next address in turn. */
  send(request: OneRequest): Promise<Answered>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Connections of one address: below what a daemon allows one. */
const CONNECTIONS = 50;

/** Opens clients at `addresses` loopback addresses, 127.0.0.2 and up, with up to 50 connections each. */
export function crowd(url: string, options: { readonly addresses: number; readonly key?: string }): Crowd {
  const pools = Array.from({ length: options.addresses }, (_, number) => {
    const localAddress = `127.0.${String(Math.floor((number + 2) / 250))}.${String(((number + 2) % 250) + 1)}`;
    return new Pool(url, { connections: CONNECTIONS, localAddress });
  });
  const authorization = options.key === undefined ? {} : { authorization: `Bearer ${options.key}` };
  let turn = 0;
  return {
    send: async ({ method, path, body, headers }) => {
      const pool = pools[turn++ % pools.length];
      if (pool === undefined) throw new Error('a crowd has at least one address');
      const answer = await pool.request({
        method,
        path: `/api/v1${path}`,
        headers: {
          ...authorization,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        body: body === undefined ? null : JSON.stringify(body),
      });
      return answered(answer.statusCode, answer.headers, await answer.body.text());
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all(pools.map((pool) => pool.destroy()));
    },
  };
}

/** An answer of an undici client in the form that all tests look at. */
export function answered(
  status: number,
  given: Readonly<Record<string, string | string[] | undefined>>,
  text: string,
): Answered {
  const headers = new Headers();
  for (const [name, value] of Object.entries(given)) headers.set(name, String(value));
  const body = text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : {};
  return { status, body, headers };
}

/** Runs `work` on `count` numbers, `at` of them at a time. */
export async function inParallel(
  count: number,
  at: number,
  work: (number: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: at }, lane));
}
