import { DAY, type EpochMs, isoTime, MINUTE } from '../../lib/clock.ts';
import type { TermStart } from '../licenses/term.ts';
import { heartbeatPatienceMs } from '../machines/heartbeat-rule.ts';
import { licenseDurationDays } from '../policies/policy-settings.ts';
import {
  codesAt,
  type DecisionFacts,
  type DecisionRequest,
  type FindingCode,
  type HeldEntitlement,
  type Weight,
} from './decide.ts';

/** What a rule was put to, and what is told of it beside that. */
export interface RuleSubject {
  readonly facts: DecisionFacts;
  readonly request: DecisionRequest;
  /** Trusted time. */
  readonly now: EpochMs;
  /** Since when the licence has its status. */
  readonly statusSince: EpochMs;
  /** What the term of the licence waits for; null: it runs, or there is none. */
  readonly startsOn: TermStart | null;
  /** The machine with the fingerprint that was sent, or the one recognised by its components. */
  readonly machineId: string | null;
  readonly byFingerprint: boolean;
  /** Names of identifying components that were sent and are not the stored ones. */
  readonly differing: readonly string[];
}

/** How one rule is told to a person. */
export interface RuleWords {
  /** Why the rule has nothing to look at; null: it has. */
  readonly idle: (subject: RuleSubject) => string | null;
  readonly passed: (subject: RuleSubject) => string;
  readonly found: (subject: RuleSubject, weight: Weight) => string;
  readonly remedy: string;
}

const always = (): null => null;
const since = ({ statusSince }: RuleSubject): string => `since ${isoTime(statusSince)}`;

/** Every rule of the decision in words, with the numbers it rests on. */
export const RULE_WORDS: Readonly<Record<FindingCode, RuleWords>> = {
  BANNED: {
    idle: always,
    passed: () => 'the licence is not banned',
    found: (subject) => `the licence is banned ${since(subject)}`,
    remedy: 'a ban is for good; issue a new licence',
  },
  REVOKED: {
    idle: always,
    passed: () => 'the licence is not revoked',
    found: (subject) => `the licence is revoked ${since(subject)}`,
    remedy: 'a revocation is for good; issue a new licence',
  },
  SUSPENDED: {
    idle: always,
    passed: () => 'the licence is not suspended',
    found: (subject) => `the licence is suspended ${since(subject)}`,
    remedy: 'reinstate the licence when the reason is gone',
  },
  EXPIRED: { idle: noExpiry, passed: notYetExpired, found: expired, remedy: 'renew the licence' },
  FINGERPRINT_REQUIRED: {
    idle: ({ facts }) => (facts.policy.requireFingerprint ? null : 'the policy asks for no fingerprint'),
    passed: () => 'a fingerprint was sent, as the policy asks',
    found: () => 'the policy asks for the fingerprint of the machine, and none was sent',
    remedy: 'send the fingerprint of the machine',
  },
  FINGERPRINT_NOT_FOUND: {
    idle: ({ request }) => (request.fingerprint ? null : 'no fingerprint was sent'),
    passed: knownMachine,
    found: unknownMachine,
    remedy: 'activate the machine; where its parts were exchanged, remove it first and activate it again',
  },
  HEARTBEAT_REQUIRED: {
    idle: noHeartbeat,
    passed: (subject) => `${lastSeen(subject)}, in time`,
    found: (subject) => `${lastSeen(subject)}, too long ago`,
    remedy: 'let the machine send a heartbeat; one that was removed has to be activated again',
  },
  MACHINE_LIMIT_EXCEEDED: {
    idle: noOverage,
    passed: seatsTaken,
    found: (subject) => `${seatsTaken(subject)}, which ${subject.facts.policy.overageStrategy} allows`,
    remedy: 'remove machines that are not used, or raise the limit',
  },
  ENTITLEMENTS_MISSING: {
    idle: ({ request }) => (request.entitlements.length > 0 ? null : 'no entitlement was asked for'),
    passed: ({ request }) => `the licence holds ${request.entitlements.join(', ')}`,
    found: (subject) => `the licence lacks ${missing(subject).join(', ')}`,
    remedy: 'give the entitlement to the licence or to its policy',
  },
  USES_EXCEEDED: {
    idle: ({ facts }) => (facts.maxUses === null ? 'uses are not limited' : null),
    passed: usesCounted,
    found: usesCounted,
    remedy: 'raise the limit of uses',
  },
};

/** What the licence itself waits for counts: its policy may say something else by now, or may have said so before. */
function noExpiry({ facts, startsOn }: RuleSubject): string | null {
  if (facts.status === 'expired' || facts.expiresAt !== null) return null;
  if (startsOn === null) return 'the licence never expires';
  const days = licenseDurationDays(facts.policy);
  if (days === null)
    return `its term begins with the first ${startsOn}, and has no end: the policy gives it no days`;
  return `the ${facts.policy.isTrial ? 'trial' : 'term'} of ${inDays(days)} begins with the first ${startsOn}`;
}

function notYetExpired({ facts, now }: RuleSubject): string {
  const at = facts.expiresAt ?? now;
  return `expires on ${isoTime(at)}, in ${duration(at - now)}`;
}

function expired({ facts, now }: RuleSubject, weight: Weight): string {
  const { expiresAt, policy } = facts;
  if (expiresAt === null) return 'the licence has expired';
  const head = `expired on ${isoTime(expiresAt)}, ${duration(now - expiresAt)} ago`;
  if (policy.expirationStrategy === 'ALLOW_ACCESS') return `${head}; the policy lets it go on all the same`;
  if (policy.graceDays === 0) return `${head}; the policy gives no grace`;
  const end = isoTime(expiresAt + policy.graceDays * DAY);
  return weight === 'remark' ? `${head}; in grace until ${end}` : `${head}; its grace ended on ${end}`;
}

function knownMachine({ machineId, byFingerprint, differing, facts }: RuleSubject): string {
  const id = machineId ?? '-';
  const tolerated = `as ${facts.policy.fingerprintMatching} allows`;
  if (!byFingerprint)
    return `machine ${id} is recognised by its components, ${tolerated}; its fingerprint is another`;
  if (differing.length === 0) return `the fingerprint is that of machine ${id}`;
  return `the fingerprint is that of machine ${id}, which differs in ${differing.join(', ')}, ${tolerated}`;
}

function unknownMachine({ machineId, differing }: RuleSubject): string {
  if (machineId === null) return 'no machine of this licence has this fingerprint';
  const what = differing.length === 0 ? 'is' : `differs in ${differing.join(', ')}: it is`;
  return `machine ${machineId} has this fingerprint, but ${what} not the hardware that was activated`;
}

function noHeartbeat({ facts }: RuleSubject): string | null {
  if (!facts.policy.requireHeartbeat) return 'the policy asks for no heartbeat';
  return facts.machine === null ? 'no machine of this licence was named' : null;
}

function lastSeen({ facts, now }: RuleSubject): string {
  const { machine, policy, readyAt } = facts;
  if (machine === null) return 'the machine was never seen';
  const patience = Math.round(heartbeatPatienceMs(policy.heartbeatIntervalMinutes) / MINUTE);
  const seen = `last seen ${duration(now - machine.lastSeenAt)} ago, on ${isoTime(machine.lastSeenAt)}`;
  const down =
    readyAt > machine.lastSeenAt ? `; counted from the start of the appliance ${isoTime(readyAt)}` : '';
  return `${seen} (alive for ${String(patience)} minutes after a heartbeat${down})`;
}

function noOverage({ facts }: RuleSubject): string | null {
  if (facts.maxMachines === null) return 'seats are not limited';
  if (facts.policy.overageStrategy !== 'NO_OVERAGE') return null;
  return `without overage a full licence refuses activations, never validations (${seatsOf(facts)})`;
}

function seatsOf({ seats, maxMachines, policy }: DecisionFacts): string {
  const whose = policy.machineLeasing === 'PER_USER' ? 'seats of the user' : 'seats';
  return `${String(seats)} of ${maxMachines === null ? 'unlimited' : String(maxMachines)} ${whose} are taken`;
}

function seatsTaken({ facts }: RuleSubject): string {
  return seatsOf(facts);
}

function usesCounted({ facts }: RuleSubject): string {
  return `${String(facts.uses)} of ${String(facts.maxUses)} uses are counted`;
}

/** Codes that were asked for and are not held, with when they ended. */
function missing({ facts, request, now }: RuleSubject): string[] {
  const held = new Set(codesAt(facts.entitlements, now));
  const lacking = request.entitlements.filter((code) => !held.has(code));
  return lacking.map((code) => {
    const ended = endOf(facts.entitlements, code);
    return ended === null ? code : `${code} (ended on ${isoTime(ended)})`;
  });
}

function endOf(entitlements: readonly HeldEntitlement[], code: string): EpochMs | null {
  const ends = entitlements.filter((one) => one.code === code).map(({ expiresAt }) => expiresAt ?? 0);
  return ends.length === 0 ? null : Math.max(...ends);
}

const HOURS_A_DAY = 24;

/** A length of time as people say it, rounded down: days, or below two days hours, or below two hours minutes. */
function duration(ms: number): string {
  const minutes = Math.floor(Math.max(0, ms) / MINUTE);
  const hours = Math.floor(minutes / 60);
  if (hours >= 2 * HOURS_A_DAY) return inDays(Math.floor(hours / HOURS_A_DAY));
  if (hours >= 2) return `${String(hours)} hours`;
  if (minutes === 0) return 'less than a minute';
  return minutes === 1 ? '1 minute' : `${String(minutes)} minutes`;
}

const inDays = (count: number): string => (count === 1 ? '1 day' : `${String(count)} days`);
