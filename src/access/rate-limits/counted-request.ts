import type { Fault } from '../../faults.ts';
import type { Principal } from '../principal.ts';

/** Kinds of requests that are limited apart, as the HTTP server's table of routes names them. */
export type LimitClass = 'management' | 'activate' | 'validate' | 'heartbeat' | 'public' | 'health';

/** What of one request decides which limit it counts against, as the HTTP server tells it. */
export interface CountedRequest {
  readonly who: Principal;
  readonly class: LimitClass;
  readonly address: string;
  /** Id or key of the licence the request is about, as it stands in the request. */
  readonly license?: string | undefined;
  /** Fingerprint or id of the machine. */
  readonly machine?: string | undefined;
}

/** What a caller has left, and the refusal, when it is nothing. */
export interface Quota {
  /** Name, value, name, value. */
  readonly headers: string[];
  readonly refused?: { readonly fault: Fault; readonly rule: string };
}
