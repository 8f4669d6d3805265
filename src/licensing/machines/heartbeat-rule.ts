import { type EpochMs, MINUTE } from '../../lib/clock.ts';
import type { PolicySettings } from '../policies/policy-settings.ts';

/** A machine is given this much beyond its interval, or a tenth of the interval if that is more. */
const LEAST_SLACK_MS = 60_000;
const SLACK_SHARE = 10;

/** What a policy says about heartbeats. */
type HeartbeatTerms = Pick<PolicySettings, 'requireHeartbeat' | 'heartbeatIntervalMinutes'>;

/** What the rule looks at. Times in milliseconds since the epoch, trusted time. */
export interface HeartbeatFacts {
  /** The last heartbeat; of a machine that has sent none, its activation. */
  readonly lastSeenAt: EpochMs;
  /** Since when this appliance takes heartbeats: time when it was down counts for nobody. */
  readonly readyAt: EpochMs;
  readonly intervalMinutes: number;
}

/** How long after its last heartbeat a machine is still alive: the interval and its slack. */
export function heartbeatPatienceMs(intervalMinutes: number): number {
  const interval = intervalMinutes * MINUTE;
  return interval + Math.max(LEAST_SLACK_MS, interval / SLACK_SHARE);
}

/** Whether heartbeats are due earlier under one policy than under another, or at all. */
export function asksEarlier(policy: HeartbeatTerms, than: HeartbeatTerms): boolean {
  if (!policy.requireHeartbeat) return false;
  return !than.requireHeartbeat || policy.heartbeatIntervalMinutes < than.heartbeatIntervalMinutes;
}

/** Whether a machine counts as dead at `now`: `now − max(last heartbeat, ready at) > interval + slack`. */
export function isDead(facts: HeartbeatFacts, now: EpochMs): boolean {
  const since = Math.max(facts.lastSeenAt, facts.readyAt);
  return now - since > heartbeatPatienceMs(facts.intervalMinutes);
}
