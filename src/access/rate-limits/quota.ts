import { SECOND } from '../../lib/clock.ts';

/** What one policy has left for a caller. */
export interface Allowance {
  /** Name of the policy, letters and dashes. */
  readonly policy: string;
  /** Requests in a window. */
  readonly limit: number;
  readonly windowMs: number;
  /** How many were counted, this one included. */
  readonly count: number;
  /** Milliseconds until the window ends. */
  readonly resetMs: number;
}

/**
 * The headers that tell a caller what he has left: `RateLimit-Policy` and `RateLimit` of
 * draft-ietf-httpapi-ratelimit-headers-11 §3 and §4 for all, and the older `X-RateLimit-*` for the first. Times are seconds
 * from now, rounded up: there is no clock that both sides share.
 */
export function quotaHeaders(allowances: readonly [Allowance, ...Allowance[]]): string[] {
  const [first] = allowances;
  return [
    'RateLimit-Policy',
    allowances
      .map(({ policy, limit, windowMs }) => `"${policy}";q=${limit};w=${windowMs / SECOND}`)
      .join(', '),
    'RateLimit',
    allowances.map((one) => `"${one.policy}";r=${remaining(one)};t=${seconds(one.resetMs)}`).join(', '),
    'X-RateLimit-Limit',
    String(first.limit),
    'X-RateLimit-Remaining',
    String(remaining(first)),
    'X-RateLimit-Reset',
    String(seconds(first.resetMs)),
  ];
}

/** Whether a policy is used up, and this request was one too many. */
export function isExceeded({ count, limit }: Allowance): boolean {
  return count > limit;
}

function remaining({ limit, count }: Allowance): number {
  return Math.max(0, limit - count);
}

function seconds(ms: number): number {
  return Math.ceil(ms / SECOND);
}
