import type { z } from 'zod';
import type { JsonObject } from '../lib/strict-json.ts';
import type { ResponseSigning } from './response-signature.ts';

/** Methods of the API. */
export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/**
 * One route: what it takes, what it demands, what it answers. The table of routes is all the HTTP server knows of the
 * features; the same rows generate the OpenAPI document, so that what is documented is what is checked.
 * `Caller` is the permit type of the access feature: http knows nothing of it but that a handler wants one.
 */
export interface Route<Caller, Demand, Params = unknown, Query = unknown, Body = unknown, Result = unknown> {
  readonly method: Method;
  /** With `{name}` segments, e.g. `/api/v1/licenses/{id}`. */
  readonly path: string;
  /** One line for the OpenAPI document. */
  readonly summary: string;
  readonly tag: string;
  readonly demand: Demand;
  readonly params?: z.ZodType<Params>;
  readonly query?: z.ZodType<Query>;
  readonly body?: z.ZodType<Body>;
  /** What a 2xx carries, by status; a status without a body maps to null. */
  readonly answers: Readonly<Record<number, z.ZodType | null>>;
  /** POSTs that change state honour `Idempotency-Key`; unauthenticated ones never. */
  readonly idempotent?: IdempotencyRule;
  /** Lower-case headers that prove something: without them, or with others, a repeated request is another request. */
  readonly proofs?: readonly string[];
  /** Largest body, when it is not the default 64 KB. */
  readonly maxBodyBytes?: number;
  /** Which limit a request counts against, and by what; absent: `management`, by whoever asks. */
  readonly limit?: RouteLimit;
  /** The answer, whatever it is, is signed when the body has a `nonce` (RFC 9421); absent: never. */
  readonly signing?: ResponseSigning<Caller>;
  handle(call: Call<Caller, Params, Query, Body>): Promise<Answer> | Answer;
  /**
   * Makes the answer from what the operation hands to `permit.remember` inside its unit, so that the answer is durable
   * with the change it tells of. Pure. A route without it has its answer stored after the commit, and a crash in between
   * loses the answer (not the change).
   */
  present?(result: Result): Answer;
  /**
   * With `reread`: the stored answer, in which every member of `Answer.secrets` is null, completed anew with what the
   * caller may see now.
   */
  reread?(call: Call<Caller, Params, Query, Body>, stored: JsonObject): Promise<Answer> | Answer;
}

/**
 * Kinds of requests that are limited apart, and turned away one after the other when there is more to do than can be done.
 * `public` and `health` are for anybody and counted by nobody.
 */
export type LimitClass = 'management' | 'activate' | 'validate' | 'heartbeat' | 'public' | 'health';

/** A member of a request's path parameters or body. */
export type RequestMember = `params.${string}` | `body.${string}`;

/**
 * What limits a route. With `license` or `machine` a request is counted by them, once it is read; management by them only
 * when who asks is the holder of a licence. Else by who asks.
 */
export interface RouteLimit {
  readonly class: LimitClass;
  /** Where the id or key of the licence stands. */
  readonly license?: RequestMember;
  /** Where the fingerprint or id of the machine stands. */
  readonly machine?: RequestMember;
}

/**
 * Types a row by its schemas: `const route = routeOf<Permit, Demand>(); route({ params: z.strictObject({ id }), … })`
 * gives `handle` a call whose parts are what the schemas make of them.
 */
export function routeOf<Caller, Demand>() {
  return <Params = unknown, Query = unknown, Body = unknown, Result = unknown>(
    row: Route<Caller, Demand, Params, Query, Body, Result>,
  ): Route<Caller, Demand> => row;
}

/**
 * How an answer is kept for replay. `answer`: as it was. `without-secret`: what was shown once is not stored; the replay
 * has null in its place and `secretShown: true`. `reread`: the stored reference is read anew with the caller's rights.
 */
export type IdempotencyRule = 'answer' | 'without-secret' | 'reread';

/** One request, parsed and permitted. */
export interface Call<Caller, Params = unknown, Query = unknown, Body = unknown> {
  readonly permit: Caller;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** Ours, never the caller's: fit for the ledger. */
  readonly requestId: string;
  /** Header by lower-case name. */
  header(name: string): string | undefined;
  /** The client's address: the socket's, or the one a trusted proxy names. */
  readonly address: string;
  /** The path as it was received, without the query: what a caller signed who signs his request. */
  readonly path: string;
  /** SHA-256 of the body's bytes as they were received (of no bytes when there was none), 32 bytes. */
  readonly bodyDigest: () => Buffer;
}

/** What a handler returns; sent only after everything it awaited is durable. */
export interface Answer {
  readonly status: number;
  /** JSON body, or raw bytes with their own content type. */
  readonly body?: unknown;
  readonly raw?: { readonly bytes: Buffer; readonly contentType: string; readonly filename?: string };
  readonly headers?: Readonly<Record<string, string>>;
  /** With `reread`: what is kept for replay in place of the body, when the body is large and can be read again. */
  readonly kept?: JsonObject;
  /** Nothing was changed: the answer is not kept for replay, a repeated request is answered anew. */
  readonly unchanged?: boolean;
  /** Member paths of `body.data` that are shown once and never stored for replay. */
  readonly secrets?: readonly string[];
}
