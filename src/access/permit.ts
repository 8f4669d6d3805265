import type { Authority, Actor } from '../storage/journal.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import type { Tx } from '../storage/tx.ts';
import type { Principal } from './principal.ts';
import type { Scope } from './scopes.ts';

const issued = new WeakSet();

/** What a route demands of whoever calls it; a route without one of these rows does not exist. */
export interface Demand {
  /** Scope that a secret key must carry; null: secret keys need none here. */
  readonly scope: Scope | null;
  /** Other kinds that may call it. The operation itself limits them to their own licence and machines. */
  readonly also: readonly ('publishable-key' | 'license' | 'anonymous')[];
  /** Only the local operator, on no realm (tenants) or on the one his headers name. */
  readonly operatorOnly?: boolean;
}

/** Stores the answer made from an operation's result, in the unit of work given. */
export type KeepAnswer = (tx: Tx, result: unknown) => void;

/** What is asked for: `action` is `METHOD /route`. */
export interface Asked {
  readonly action: string;
  readonly requestId: string;
  readonly keep?: KeepAnswer | undefined;
}

/**
 * Proof that a principal may do one action now. Only `authorise` makes one, and a unit of work is run in its name:
 * what has no permit cannot be written.
 */
export class Permit implements Authority {
  readonly principal: Principal;
  readonly action: string;
  readonly requestId: string;
  readonly #keep: KeepAnswer | undefined;

  /** @internal called by `authorise` alone. */
  constructor(token: object, given: { readonly principal: Principal } & Asked) {
    if (!issued.has(token)) throw new TypeError('a permit is made by authorise only');
    this.principal = given.principal;
    this.action = given.action;
    this.requestId = given.requestId;
    this.#keep = given.keep;
  }

  /**
   * Called once inside the unit that makes `result` true, with what the operation will return: the answer to a repeated
   * request (`Idempotency-Key`) is then durable with the change, and a crash after the commit cannot separate them.
   * Does nothing when nobody asked for that.
   */
  remember(tx: Tx, result: unknown): void {
    this.#keep?.(tx, result);
  }

  get actor(): Actor {
    return this.principal.actor;
  }

  get realm(): RealmId | null {
    return this.principal.realm;
  }
}

/** A permit or the reason there is none; both name the rule that decided. */
export type Decision =
  | { readonly allowed: true; readonly permit: Permit; readonly rule: string }
  | {
      readonly allowed: false;
      readonly code: 'UNAUTHENTICATED' | 'INSUFFICIENT_SCOPE' | 'OPERATOR_ONLY' | 'REALM_REQUIRED';
      readonly rule: string;
    };

/** Decides whether `principal` may do what `action` (`METHOD /route`) demands. Default deny. */
export function authorise(principal: Principal, demand: Demand, asked: Asked): Decision {
  const rule = ruleFor(principal, demand);
  if (rule.allowed) {
    const token = {};
    issued.add(token);
    return { allowed: true, rule: rule.name, permit: new Permit(token, { principal, ...asked }) };
  }
  if (principal.kind === 'operator') return { allowed: false, code: 'REALM_REQUIRED', rule: rule.name };
  if (principal.kind === 'anonymous') return { allowed: false, code: 'UNAUTHENTICATED', rule: rule.name };
  const code = demand.operatorOnly === true ? 'OPERATOR_ONLY' : 'INSUFFICIENT_SCOPE';
  return { allowed: false, code, rule: rule.name };
}

function ruleFor(principal: Principal, demand: Demand): { allowed: boolean; name: string } {
  switch (principal.kind) {
    case 'operator':
      return operatorRule(principal.realm, demand);
    case 'secret-key':
      return secretKeyRule(principal.scopes, demand);
    default:
      return {
        allowed: demand.operatorOnly !== true && demand.also.includes(principal.kind),
        name: `principal.${principal.kind}`,
      };
  }
}

/** The local operator may do everything; what belongs to a realm needs one to be named. */
function operatorRule(realm: RealmId | null, demand: Demand): { allowed: boolean; name: string } {
  const needsRealm = demand.operatorOnly !== true && demand.scope !== null;
  if (needsRealm && realm === null) return { allowed: false, name: 'operator.realm' };
  return { allowed: true, name: 'operator.socket' };
}

function secretKeyRule(scopes: ReadonlySet<Scope>, demand: Demand): { allowed: boolean; name: string } {
  if (demand.operatorOnly === true) return { allowed: false, name: 'operator.only' };
  if (demand.scope === null) return { allowed: true, name: 'scope.none' };
  return { allowed: scopes.has(demand.scope), name: `scope.${demand.scope}` };
}
