import type { FaultCode } from '../faults.ts';
import type { Refusals } from '../ledger/index.ts';
import type { Principal } from './principal.ts';

/** One refusal, as the HTTP server tells of it. */
export interface RefusedRequest {
  /** Null: nobody could be identified. */
  readonly who: Principal | null;
  readonly code: FaultCode;
  readonly rule: string;
  readonly action: string;
  readonly routeClass: string;
  readonly requestId: string;
  readonly address: string;
}

/** Tells the ledger's collector of refusals: by principal when there is one, as a number when there is not. */
export function refusalRecorder(refusals: Refusals): (refused: RefusedRequest) => void {
  return ({ who, code, rule, action, routeClass, requestId, address }) => {
    if (who === null || who.kind === 'anonymous') refusals.anonymous({ code, routeClass, address });
    else refusals.known({ actor: who.actor, realm: who.realm, requestId, rule, action, code });
  };
}
