import type { Permit } from '../../access/index.ts';
import { append } from '../../ledger/append.ts';
import type { EpochMs } from '../../lib/clock.ts';
import type { Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { countValidation, type ValidationCounts } from '../analytics/validation-counts.ts';
import { startTerm, type StartTermDeps } from '../licenses/start-term.ts';
import type { MachineUsage } from '../machines/machine-usage.ts';
import { notFound } from '../refusal.ts';
import { decide, type Decision, type DecisionRequest, NOT_FOUND } from './decide.ts';
import type { LicenseUsage } from './license-usage.ts';
import { readStanding, type Standing, type StandingDeps, type StandingRequest } from './standing.ts';
import { consumeUse, usesOf } from './usage-store.ts';
import type { ValidationInput } from './validation-schema.ts';
import { validationView, type ValidationView } from './validation-view.ts';

/** What validating needs. */
export interface ValidateDeps extends StandingDeps, StartTermDeps {
  readonly work: Pick<UnitOfWork, 'run' | 'read'>;
  readonly licenseUsage: LicenseUsage;
  readonly validationCounts: ValidationCounts;
  readonly machineUsage: MachineUsage;
  /** Trusted time. */
  readonly time: { now(): EpochMs };
  /** @throws the fault of a state of the appliance in which nothing is validated */
  readonly admit: (activity: 'validate') => void;
}

/**
 * Validates a licence by its id, for the publisher.
 * @throws Fault NOT_FOUND: an id, unlike a key, is known to exist or wrong
 */
export async function validateLicense(
  deps: ValidateDeps,
  permit: Permit,
  request: { readonly id: string; readonly input: ValidationInput },
): Promise<ValidationView> {
  deps.admit('validate');
  const realm = realmOf(permit);
  const asked = { realm, licenseId: request.id, ...request.input };
  const standing = readStanding(deps, deps.work.read.in(realm), asked);
  if (standing === undefined) throw notFound('licence', request.id);
  return judge(deps, permit, { standing, asked });
}

/** A standing that was read, and what was asked of it. */
export interface Judging {
  readonly standing: Standing;
  readonly asked: StandingRequest & Pick<ValidationInput, 'entitlements'>;
}

/**
 * Decides, counts the use, and lays out the answer. Waits for the disk only where a use is limited or a term begins:
 * everything else is counted in memory and written behind.
 */
export async function judge(deps: ValidateDeps, permit: Permit, judging: Judging): Promise<ValidationView> {
  const { standing, asked } = judging;
  const now = deps.time.now();
  const full = permit.principal.kind === 'secret-key' || permit.principal.kind === 'operator';
  const decision = decide(standing.facts, questionOf(asked), now);
  if (decision.valid && changesSomething(standing)) {
    const used = await deps.work.run(permit, (tx) => useIn(deps, tx, judging));
    const uses = Number(used.decision.valid && !used.counted);
    book(deps, standing, { uses, validations: used.counted ? 0 : 1, now });
    countValidation(deps.validationCounts, asked.realm, { code: used.decision.code, at: now });
    return validationView(deps, { ...used, full, now });
  }
  book(deps, standing, { uses: Number(decision.valid), validations: 1, now });
  countValidation(deps.validationCounts, asked.realm, { code: decision.code, at: now });
  return validationView(deps, { standing, decision, full, now });
}

function questionOf({ fingerprint, entitlements }: Judging['asked']): DecisionRequest {
  return { fingerprint: fingerprint !== undefined, entitlements: entitlements ?? [] };
}

interface Booking {
  readonly uses: number;
  readonly validations: number;
  readonly now: EpochMs;
}

function book(deps: ValidateDeps, { realm, license, machine }: Standing, booking: Booking): void {
  const { uses, validations, now } = booking;
  deps.licenseUsage.add(realm, license.id, { uses, validations, at: now });
  if (machine !== null) deps.machineUsage.add(realm, machine.id, { heartbeat: null, validatedAt: now });
}

/** Whether a valid result changes what is recorded: a limited use, or a term that waits for its first validation. */
function changesSomething({ license, facts }: Standing): boolean {
  return facts.maxUses !== null || license.startsOn === 'validation';
}

interface Used {
  /** null: the licence was deleted meanwhile. */
  readonly standing: Standing | null;
  readonly decision: Decision;
  /** Whether use and validation are counted on disk already. */
  readonly counted: boolean;
}

/** Decides again inside the unit, and does there what a valid result changes. An invalid one changes nothing. */
function useIn(deps: ValidateDeps, tx: Tx, { asked }: Judging): Used {
  const rows = tx.in(asked.realm);
  const standing = readStanding(deps, rows, asked);
  if (standing === undefined) return { standing: null, decision: NOT_FOUND, counted: false };
  const decision = decide(standing.facts, questionOf(asked), tx.now);
  if (!decision.valid) return { standing, decision, counted: false };
  const { maxUses } = standing.facts;
  if (maxUses !== null && !useOnce(deps, tx, { standing, limit: maxUses })) {
    const uses = Math.max(standing.facts.uses, maxUses);
    const again = decide({ ...standing.facts, uses }, questionOf(asked), tx.now);
    return { standing, decision: again, counted: false };
  }
  const counted = maxUses !== null;
  if (standing.license.startsOn !== 'validation') return { standing, decision, counted };
  startTerm(deps, tx, { standing, from: tx.now });
  return { standing: readStanding(deps, rows, asked) ?? standing, decision, counted };
}

/** Counts one use by one conditional statement, with its ledger entry: the last use is given once. */
function useOnce(
  deps: ValidateDeps,
  tx: Tx,
  { standing, limit }: { readonly standing: Standing; readonly limit: number },
): boolean {
  const { realm, license } = standing;
  const pending = deps.licenseUsage.pending(realm, license.id)?.uses ?? 0;
  if (!consumeUse(tx.in(realm), license.id, { limit: limit - pending, at: tx.now })) return false;
  const facts = { uses: usesOf(tx.in(realm), license.id) + pending };
  append(tx, { realm, action: 'license.used', target: { kind: 'license', id: license.id }, facts });
  return true;
}
