import { type EpochMs, DAY } from '../../lib/clock.ts';
import type { LicenseStatus } from '../licenses/license.ts';
import { isDead } from '../machines/heartbeat-rule.ts';
import type { PolicySettings } from '../policies/policy-settings.ts';

/** Every outcome, in the order of precedence (domain.md, Validation). */
export const VALIDATION_CODES = [
  'NOT_FOUND',
  'BANNED',
  'REVOKED',
  'SUSPENDED',
  'EXPIRED',
  'FINGERPRINT_REQUIRED',
  'FINGERPRINT_NOT_FOUND',
  'HEARTBEAT_REQUIRED',
  'MACHINE_LIMIT_EXCEEDED',
  'ENTITLEMENTS_MISSING',
  'USES_EXCEEDED',
  'VALID',
] as const;

/** One outcome of a validation. */
export type ValidationCode = (typeof VALIDATION_CODES)[number];

/** What can be wrong with a licence that exists. */
export type FindingCode = Exclude<ValidationCode, 'NOT_FOUND' | 'VALID'>;

/** An entitlement that a licence holds by itself or through its policy. */
export interface HeldEntitlement {
  readonly code: string;
  /** null: as long as the licence. */
  readonly expiresAt: EpochMs | null;
}

/** The machine a request speaks of, when it is activated under the licence. */
export interface DecidingMachine {
  readonly alive: boolean;
  /** Newest heartbeat, or activation. */
  readonly lastSeenAt: EpochMs;
  /** False when an identifying component that was sent differs from the one stored. */
  readonly componentsMatch: boolean;
}

/** Everything a decision rests on. Times are trusted time, counters include what is not yet on disk. */
export interface DecisionFacts {
  /** As stored. */
  readonly status: LicenseStatus;
  readonly expiresAt: EpochMs | null;
  readonly policy: PolicySettings;
  /** Effective limits: the licence's own, or the policy's; null = unlimited. */
  readonly maxMachines: number | null;
  readonly maxUses: number | null;
  readonly seats: number;
  readonly uses: number;
  readonly entitlements: readonly HeldEntitlement[];
  readonly machine: DecidingMachine | null;
  /** Since when this appliance takes heartbeats. */
  readonly readyAt: EpochMs;
}

/** What is asked. */
export interface DecisionRequest {
  /** Whether a fingerprint was sent. */
  readonly fingerprint: boolean;
  /** Codes the caller needs. */
  readonly entitlements: readonly string[];
}

/** The answer. `valid` and `code` are independent: an expired licence may be valid. */
export interface Decision {
  readonly valid: boolean;
  readonly code: ValidationCode;
  /** Everything found, in the order of precedence. */
  readonly findings: readonly ValidationCode[];
}

/** How a finding weighs: `blocking` makes the licence invalid, `remark` is only said. */
export type Weight = 'blocking' | 'remark';

interface Rule {
  readonly code: FindingCode;
  readonly weigh: (facts: DecisionFacts, request: DecisionRequest, now: EpochMs) => Weight | null;
}

const blockingIf = (found: boolean): Weight | null => (found ? 'blocking' : null);

/** The rules in the order of precedence; all of them are evaluated. */
const RULES: readonly Rule[] = [
  { code: 'BANNED', weigh: ({ status }) => blockingIf(status === 'banned') },
  { code: 'REVOKED', weigh: ({ status }) => blockingIf(status === 'revoked') },
  { code: 'SUSPENDED', weigh: ({ status }) => blockingIf(status === 'suspended') },
  { code: 'EXPIRED', weigh: (facts, _request, now) => weighExpiry(facts, now) },
  {
    code: 'FINGERPRINT_REQUIRED',
    weigh: ({ policy }, { fingerprint }) => blockingIf(policy.requireFingerprint && !fingerprint),
  },
  {
    code: 'FINGERPRINT_NOT_FOUND',
    weigh: ({ machine }, { fingerprint }) => blockingIf(fingerprint && machine?.componentsMatch !== true),
  },
  { code: 'HEARTBEAT_REQUIRED', weigh: (facts, _request, now) => blockingIf(lacksHeartbeat(facts, now)) },
  { code: 'MACHINE_LIMIT_EXCEEDED', weigh: (facts) => (isOverLimit(facts) ? 'remark' : null) },
  {
    code: 'ENTITLEMENTS_MISSING',
    weigh: (facts, request, now) => blockingIf(lacksEntitlement(facts, request, now)),
  },
  {
    code: 'USES_EXCEEDED',
    weigh: ({ maxUses, uses }) => blockingIf(maxUses !== null && uses >= maxUses),
  },
];

/** The decision on a key that leads to no licence. */
export const NOT_FOUND: Decision = { valid: false, code: 'NOT_FOUND', findings: ['NOT_FOUND'] };

/**
 * Whether a licence is valid for a request at `now`, and why. Pure. All rules are evaluated; `valid` when none blocks;
 * `code` is the first that blocks, else the first remark, else `VALID`.
 * @param facts null: there is no such licence
 */
export function decide(facts: DecisionFacts | null, request: DecisionRequest, now: EpochMs): Decision {
  if (facts === null) return NOT_FOUND;
  const found = weighRules(facts, request, now).filter(({ weight }) => weight !== null);
  const findings = found.map(({ code }) => code);
  const blocking = found.find(({ weight }) => weight === 'blocking')?.code;
  return { valid: blocking === undefined, code: blocking ?? findings[0] ?? 'VALID', findings };
}

/** What one rule says; null: nothing. */
export interface WeighedRule {
  readonly code: FindingCode;
  readonly weight: Weight | null;
}

/** What every rule says of a licence, in the order of precedence: what `decide` rests on. Pure. */
export function weighRules(facts: DecisionFacts, request: DecisionRequest, now: EpochMs): WeighedRule[] {
  return RULES.map(({ code, weigh }) => ({ code, weight: weigh(facts, request, now) }));
}

/**
 * What the licence itself has against being used at all, whatever machine asks: the first blocking one of its state and
 * its time; null when there is nothing.
 */
export function blockedBy(
  facts: Pick<DecisionFacts, 'status' | 'expiresAt' | 'policy'>,
  now: EpochMs,
): 'BANNED' | 'REVOKED' | 'SUSPENDED' | 'EXPIRED' | null {
  if (facts.status === 'banned') return 'BANNED';
  if (facts.status === 'revoked') return 'REVOKED';
  if (facts.status === 'suspended') return 'SUSPENDED';
  return weighExpiry(facts, now) === 'blocking' ? 'EXPIRED' : null;
}

/** Expired in grace, or where the policy allows it, is only said. */
function weighExpiry(
  { status, expiresAt, policy }: Pick<DecisionFacts, 'status' | 'expiresAt' | 'policy'>,
  now: EpochMs,
): Weight | null {
  const over = status === 'expired' || (expiresAt !== null && now >= expiresAt);
  if (!over) return null;
  if (policy.expirationStrategy === 'ALLOW_ACCESS') return 'remark';
  const inGrace = expiresAt !== null && now < expiresAt + policy.graceDays * DAY;
  return inGrace ? 'remark' : 'blocking';
}

function lacksHeartbeat({ policy, machine, readyAt }: DecisionFacts, now: EpochMs): boolean {
  if (!policy.requireHeartbeat || machine === null) return false;
  const intervalMinutes = policy.heartbeatIntervalMinutes;
  return !machine.alive || isDead({ lastSeenAt: machine.lastSeenAt, readyAt, intervalMinutes }, now);
}

/** Only with overage: without it a limit that was lowered later takes no machine's licence away. */
function isOverLimit({ policy, maxMachines, seats }: DecisionFacts): boolean {
  return policy.overageStrategy !== 'NO_OVERAGE' && maxMachines !== null && seats > maxMachines;
}

function lacksEntitlement(facts: DecisionFacts, request: DecisionRequest, now: EpochMs): boolean {
  if (request.entitlements.length === 0) return false;
  const held = new Set(codesAt(facts.entitlements, now));
  return request.entitlements.some((code) => !held.has(code));
}

/** Codes that are held at `now`, each once, in order. */
export function codesAt(entitlements: readonly HeldEntitlement[], now: EpochMs): string[] {
  const held = entitlements.filter((entitlement) => isHeldAt(entitlement, now));
  return [...new Set(held.map(({ code }) => code))].sort();
}

/** Whether an entitlement has not run out at `now`. */
export function isHeldAt({ expiresAt }: Pick<HeldEntitlement, 'expiresAt'>, now: EpochMs): boolean {
  return expiresAt === null || expiresAt > now;
}
