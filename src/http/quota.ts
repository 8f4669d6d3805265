import type { Fault } from '../faults.ts';
import type { Face } from './exchange.ts';
import type { HeaderList } from './headers.ts';
import type { LimitClass } from './route.ts';

/** What of one request decides which limit it counts against. */
export interface CountedRequest<Who> {
  readonly who: Who;
  readonly class: LimitClass;
  readonly face: Face;
  readonly address: string;
  /** Id or key of the licence the request is about, as it stands in the request. */
  readonly license?: string | undefined;
  /** Fingerprint or id of the machine. */
  readonly machine?: string | undefined;
}

/** What a caller has left, for the headers of his answer; and the refusal, when it is nothing. */
export interface Quota {
  readonly headers: HeaderList;
  readonly refused?: { readonly fault: Fault; readonly rule: string };
}

/** Counts requests, in memory. */
export interface Limits<Who> {
  /** Counts one; undefined: nothing limits it. */
  count(request: CountedRequest<Who>): Promise<Quota | undefined>;
  /** What an address has left of its failures: said where nothing else is counted. */
  failures(address: string): Promise<Quota>;
}
