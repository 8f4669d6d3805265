import type { Fault, FaultCode } from '../faults.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import type { AddressRanges } from './address-ranges.ts';
import type { Face } from './exchange.ts';
import type { HeaderList } from './headers.ts';
import type { Log } from './log.ts';
import type { Metrics } from './metrics.ts';
import type { Overload } from './overload.ts';
import type { Limits } from './quota.ts';
import type { AnswerStore } from './replay.ts';
import type { Route } from './route.ts';

/** What a request shows of who it is from. */
export interface Presented {
  readonly authorization: string | undefined;
  /** `X-API-Key` */
  readonly apiKey: string | undefined;
  /** `X-Publishable-Key` */
  readonly publishableKey: string | undefined;
  /** `X-Mintmark-Tenant`: the code of a tenant; counts at the operator's socket. */
  readonly tenant: string | undefined;
  /** `X-Mintmark-Environment` */
  readonly environment: string | undefined;
  readonly face: Face;
  readonly address: string;
}

/** Who a request is from, or why nobody believes it. */
export type Identified<Who> =
  | {
      readonly known: true;
      readonly who: Who;
      /** For the log: kind and random id. */
      readonly name: string;
      /** Whoever has shown nothing has nothing kept for him. */
      readonly anonymous: boolean;
    }
  | {
      readonly known: false;
      readonly fault: Fault;
      /** What decided, for the record of refusals. */
      readonly rule: string;
    };

/** What a decision about a permit is asked with. */
export interface Asked<Tx> {
  readonly action: string;
  /** Ours, never the caller's: it stands in the ledger. */
  readonly requestId: string;
  readonly keep?: ((tx: Tx, result: unknown) => void) | undefined;
}

/** A permit or the rule that refused it. */
export type Verdict<Caller> =
  | { readonly allowed: true; readonly permit: Caller; readonly rule: string }
  | { readonly allowed: false; readonly code: FaultCode; readonly rule: string };

/** One refusal, as the recorder of refusals is told of it. */
export interface Refused<Who> {
  /** Null: nobody could be identified. */
  readonly who: Who | null;
  readonly code: FaultCode;
  readonly rule: string;
  /** `METHOD /pattern` */
  readonly action: string;
  /** Tag of the route. */
  readonly routeClass: string;
  readonly requestId: string;
  readonly address: string;
}

/** One answered request, for the log of who did what. */
export interface Used<Who> {
  /** Null: nobody could be identified. */
  readonly who: Who | null;
  /** `METHOD /pattern` */
  readonly action: string;
  readonly status: number;
  readonly address: string;
  /** The first id in the path. */
  readonly subject: string | undefined;
}

/**
 * What the pipeline is made of. http knows nothing of access: who is who, who may what, and where refusals and answers
 * are kept are functions it is given. `Who` is a principal, `Caller` a permit, `Tx` an open unit of work.
 */
export interface Parts<Who, Caller, Demand, Tx> {
  readonly routes: readonly Route<Caller, Demand>[];
  /** What is said of every other path and method; absent: that there is none. */
  readonly otherwise?: (() => Fault) | undefined;
  identify(presented: Presented): Identified<Who> | Promise<Identified<Who>>;
  authorise(who: Who, demand: Demand, asked: Asked<Tx>): Verdict<Caller>;
  /** Must not throw, must not wait, must not write. */
  refused(refusal: Refused<Who>): void;
  /** Told of every answer to a request of a route. Must not throw, must not wait, must not write. */
  used(use: Used<Who>): void;
  readonly requestLimits: Limits<Who>;
  readonly overload: Overload;
  readonly answers: AnswerStore<Caller, Tx>;
  /**
   * Awaited after a handler and before its answer is sent: what must be signed into the ledger first is signed.
   * @throws Fault when that cannot be done; what was changed stands, and the same request is answered later
   */
  beforeAnswer(requestId: string): Promise<void>;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random: Random;
  readonly proxies: AddressRanges;
  /** Headers of every answer: `standingHeaders`. */
  readonly standing: HeaderList;
}
