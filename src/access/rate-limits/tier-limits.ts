import type { Tier } from '../api-keys/api-key.ts';

/** What a tier allows. Requests in a minute, unless it says otherwise. */
export interface TierLimits {
  /** Validations, of each machine under each licence. */
  readonly validate: number;
  /** Heartbeats, of each machine. */
  readonly heartbeat: number;
  /** Activations, of each machine under each licence. */
  readonly activate: number;
  /** Activations in a realm. */
  readonly activateRealm: number;
  /** Everything else, of each key; of each licence key for each of its machines, by address. */
  readonly management: number;
  /** Management in a second. */
  readonly burst: number;
}

/** The tiers that have limits. */
export type LimitedTier = Exclude<Tier, 'unlimited'>;

/** The limits of every tier that has some. */
export type LimitTable = Readonly<Record<LimitedTier, TierLimits>>;

/** A tier's limits; undefined when it has none. */
export function limitsOf(table: LimitTable, tier: Tier): TierLimits | undefined {
  return tier === 'unlimited' ? undefined : table[tier];
}

/** Activations that a quiet licence has left in a minute when others have used up those of its realm. */
export const QUIET_ACTIVATIONS = 10;
