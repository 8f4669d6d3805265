import { Fault, type FaultCode } from '../../faults.ts';
import { type EpochMs, isoTime } from '../../lib/clock.ts';
import { cidrsWithin } from '../cidr.ts';
import type { Scope } from '../scopes.ts';
import { type ApiKey, DEFAULT_ISSUE_LIMIT, type Tier, TIERS } from './api-key.ts';

/** What a key may do, and until when and from where. */
export type Authority = Pick<
  ApiKey,
  | 'scopes'
  | 'allowedCidrs'
  | 'expiresAt'
  | 'tier'
  | 'issueLimitPerDay'
  | 'issueLimitTotal'
  | 'allowedProducts'
>;

/** Whoever gives: the local operator, who may give all that a key can carry, or another key. */
export type Giver = { readonly operator: true } | { readonly operator: false; readonly key: ApiKey };

/** What was asked for; what is left out follows from the giver. */
export interface Wanted {
  readonly scopes: readonly Scope[];
  readonly allowedCidrs: readonly string[] | undefined;
  readonly expiresAt: EpochMs | null | undefined;
  readonly tier: Tier | undefined;
  /** Null: none. */
  readonly issueLimitPerDay: number | null | undefined;
  /** Null: none. */
  readonly issueLimitTotal: number | null | undefined;
  readonly allowedProducts: readonly string[] | undefined;
}

/** What a new key gets: as asked, and where nothing was asked, no more than its giver has. */
export function authorityFor(giver: Giver, wanted: Wanted): Authority {
  const from = giver.operator ? undefined : giver.key;
  return {
    scopes: wanted.scopes,
    allowedCidrs: wanted.allowedCidrs ?? from?.allowedCidrs ?? [],
    expiresAt: wanted.expiresAt ?? from?.expiresAt ?? null,
    tier: wanted.tier ?? lesserTier(from?.tier ?? 'standard', 'standard'),
    issueLimitPerDay:
      wanted.issueLimitPerDay === undefined
        ? Math.min(DEFAULT_ISSUE_LIMIT, from?.issueLimitPerDay ?? DEFAULT_ISSUE_LIMIT)
        : wanted.issueLimitPerDay,
    issueLimitTotal:
      wanted.issueLimitTotal === undefined ? (from?.issueLimitTotal ?? null) : wanted.issueLimitTotal,
    allowedProducts: wanted.allowedProducts ?? from?.allowedProducts ?? [],
  };
}

/**
 * Nobody gives what he does not have (access.md, Scopes): a subset of the giver's scopes, an expiry no later, addresses
 * no wider, a tier and an issue limit no higher. Pure.
 * @returns the refusal, or undefined when all of it is the giver's to give
 */
export function refuseWider(giver: Giver, given: Authority): Fault | undefined {
  if (giver.operator) return undefined;
  const { key } = giver;
  const missing = given.scopes.find((scope) => !key.scopes.includes(scope));
  if (missing !== undefined) {
    return new Fault(
      'INSUFFICIENT_SCOPE',
      `your key does not have the scope ${missing}, so it cannot give it`,
    );
  }
  if (!cidrsWithin(given.allowedCidrs, key.allowedCidrs)) {
    return refusal('allowedCidrs', 'must lie within the addresses of the key that gives them');
  }
  if (key.expiresAt !== null && (given.expiresAt === null || given.expiresAt > key.expiresAt)) {
    return refusal(
      'expiresAt',
      `must not be later than ${isoTime(key.expiresAt)}, the end of the key that gives it`,
    );
  }
  if (TIERS.indexOf(given.tier) > TIERS.indexOf(key.tier)) {
    return refusal('tier', `must not be above ${key.tier}, the tier of the key that gives it`);
  }
  return refuseMore(key, given);
}

function refuseMore(key: ApiKey, given: Authority): Fault | undefined {
  for (const name of ['issueLimitPerDay', 'issueLimitTotal'] as const) {
    const limit = key[name];
    if (limit !== null && isAbove(given[name], limit)) {
      return refusal(name, `must not be above ${limit}, the limit of the key that gives it`);
    }
  }
  if (key.allowedProducts.length === 0) return undefined;
  const { allowedProducts } = given;
  const within = allowedProducts.every((id) => key.allowedProducts.includes(id));
  if (allowedProducts.length > 0 && within) return undefined;
  return refusal('allowedProducts', 'must be products of the key that gives them');
}

/** Null is no limit: above every other. */
export function isAbove(limit: number | null, other: number | null): boolean {
  return other !== null && (limit === null || limit > other);
}

function refusal(path: string, message: string, code: FaultCode = 'VALIDATION_FAILED'): Fault {
  return new Fault(code, `${path} ${message}`, { errors: [{ path, code: 'WIDER_THAN_GIVER', message }] });
}

function lesserTier(a: Tier, b: Tier): Tier {
  return TIERS.indexOf(a) < TIERS.indexOf(b) ? a : b;
}
