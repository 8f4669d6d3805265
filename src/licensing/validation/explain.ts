import type { Permit } from '../../access/index.ts';
import { DAY, type EpochMs, isoTime } from '../../lib/clock.ts';
import { equalBytes } from '../../lib/secret.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { type LicenseStatus, statusAt, statusSinceAt } from '../licenses/license.ts';
import { fingerprintDigests } from '../machines/machine-sealing.ts';
import { compareComponents, type ComparedComponent } from '../machines/recognise.ts';
import { notFound } from '../refusal.ts';
import type { ExplanationInput } from './explanation-schema.ts';
import { decide, type DecisionRequest, type FindingCode, type ValidationCode, weighRules } from './decide.ts';
import { RULE_WORDS, type RuleSubject } from './rule-words.ts';
import { readStanding, type Standing, type StandingDeps } from './standing.ts';

/** What explaining needs: to read. There is nothing here that counts or writes. */
export interface ExplainDeps extends StandingDeps {
  readonly work: Pick<UnitOfWork, 'read'>;
  /** Trusted time. */
  readonly time: { now(): EpochMs };
  /** @throws the fault of a state of the appliance in which nothing is validated */
  readonly admit: (activity: 'validate') => void;
}

/** One rule, what came of it, and why. */
export interface ExplainedRule {
  readonly code: FindingCode;
  readonly outcome: 'passed' | 'remark' | 'blocking' | 'not_applicable';
  readonly detail: string;
  /** What to do about it; null where there is nothing to do. */
  readonly remedy: string | null;
}

/** What a validation would answer, and everything it rests on. */
export interface Explanation {
  readonly valid: boolean;
  readonly code: ValidationCode;
  /** In the order of precedence. */
  readonly rules: readonly ExplainedRule[];
  readonly license: {
    readonly id: string;
    readonly status: LicenseStatus;
    readonly statusSince: string;
    readonly expiresAt: string | null;
    /** Until when the policy lets it go on after its expiry; null: no expiry, or no end. */
    readonly graceUntil: string | null;
    readonly productCode: string;
    readonly policyId: string;
  };
  /** The limits in force, the licence's own or the policy's; null: none. */
  readonly limits: {
    readonly maxMachines: number | null;
    readonly seats: number;
    readonly maxUses: number | null;
    readonly uses: number;
  };
  /** Everything held, by the licence or its policy, also what has ended. */
  readonly entitlements: readonly {
    readonly code: string;
    readonly name: string;
    readonly expiresAt: string | null;
  }[];
  /** The machine that asks, as far as it is known, and the components of it that were compared. */
  readonly machine: {
    readonly id: string;
    readonly components: readonly { readonly name: string; readonly matches: boolean }[];
  } | null;
  readonly enforcement: Standing['policy']['enforcement'];
  readonly checkedAt: string;
}

/**
 * Puts a licence to the rules of a validation and says what each of them says. Nothing is counted and nothing changes:
 * no use, no time of validation, no figure.
 * @throws Fault NOT_FOUND
 */
export function explainLicense(
  deps: ExplainDeps,
  permit: Permit,
  { id, input }: { readonly id: string; readonly input: ExplanationInput },
): Explanation {
  deps.admit('validate');
  const realm = realmOf(permit);
  const reader = deps.work.read.in(realm);
  const standing = readStanding(deps, reader, { realm, licenseId: id, ...input });
  if (standing === undefined) throw notFound('licence', id);
  const request = { fingerprint: input.fingerprint !== undefined, entitlements: input.entitlements ?? [] };
  const machineId = standing.machine?.id;
  const { components: sent } = input;
  const components =
    machineId === undefined ? [] : compareComponents(deps, reader, { realm, machineId, components: sent });
  const byFingerprint = hasFingerprint(deps, standing, input.fingerprint);
  return explanationOf({ standing, request, components, byFingerprint, now: deps.time.now() });
}

/** Whether the machine was found by its fingerprint, not by what it is made of. */
function hasFingerprint(
  { indexer }: StandingDeps,
  { realm, machine }: Standing,
  fingerprint: string | undefined,
): boolean {
  if (machine === null || fingerprint === undefined) return false;
  const digests = fingerprintDigests(indexer, realm, fingerprint);
  return digests.some(({ digest }) => equalBytes(digest, machine.fingerprintHash));
}

interface Explaining {
  readonly standing: Standing;
  readonly request: DecisionRequest;
  readonly components: readonly ComparedComponent[];
  readonly byFingerprint: boolean;
  readonly now: EpochMs;
}

function explanationOf(explaining: Explaining): Explanation {
  const { standing, request, components, now } = explaining;
  const { facts, machine } = standing;
  const { valid, code } = decide(facts, request, now);
  const { maxMachines, seats, maxUses, uses } = facts;
  return {
    ...{ valid, code, rules: explainedRules(explaining), license: licenseOf(standing, now) },
    limits: { maxMachines, seats, maxUses, uses },
    entitlements: standing.entitlements.map(({ code: held, name, expiresAt }) => {
      return { code: held, name, expiresAt: timeOrNull(expiresAt) };
    }),
    machine: machine === null ? null : { id: machine.id, components },
    enforcement: standing.policy.enforcement,
    checkedAt: isoTime(now),
  };
}

function explainedRules({ standing, request, components, byFingerprint, now }: Explaining): ExplainedRule[] {
  const subject: RuleSubject = {
    ...{ facts: standing.facts, request, now },
    statusSince: statusSinceAt(standing.license, now),
    startsOn: standing.license.startsOn,
    ...{ machineId: standing.machine?.id ?? null, byFingerprint },
    differing: components.filter(({ matches }) => !matches).map(({ name }) => name),
  };
  return weighRules(standing.facts, request, now).map(({ code, weight }) => {
    const words = RULE_WORDS[code];
    if (weight !== null) {
      return { code, outcome: weight, detail: words.found(subject, weight), remedy: words.remedy };
    }
    const idle = words.idle(subject);
    const outcome = idle === null ? 'passed' : 'not_applicable';
    return { code, outcome, detail: idle ?? words.passed(subject), remedy: null };
  });
}

function licenseOf({ license, policy }: Standing, now: EpochMs): Explanation['license'] {
  const { id, expiresAt, productCode, policyId } = license;
  const endless = expiresAt === null || policy.expirationStrategy === 'ALLOW_ACCESS';
  return {
    ...{ id, productCode, policyId },
    status: statusAt(license, now),
    statusSince: isoTime(statusSinceAt(license, now)),
    expiresAt: timeOrNull(expiresAt),
    graceUntil: endless ? null : isoTime(expiresAt + policy.graceDays * DAY),
  };
}

const timeOrNull = (at: EpochMs | null): string | null => (at === null ? null : isoTime(at));
