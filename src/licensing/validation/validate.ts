import type { Permit } from '../../access/index.ts';
import type { Sealer } from '../../custody/sealer.ts';
import { Fault } from '../../faults.ts';
import { append } from '../../ledger/append.ts';
import type { EpochMs } from '../../lib/clock.ts';
import type { Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { countValidation, type ValidationCounts } from '../analytics/validation-counts.ts';
import type { MachineUsage } from '../machines/machine-usage.ts';
import { notFound } from '../refusal.ts';
import { decide, type Decision, type DecisionRequest } from './decide.ts';
import type { LicenseUsage } from './license-usage.ts';
import { readStanding, type Standing, type StandingDeps, type StandingRequest } from './standing.ts';
import { consumeUse, usesOf } from './usage-store.ts';
import type { ValidationInput } from './validation-schema.ts';
import { validationView, type ValidationView } from './validation-view.ts';

/** What validating needs. */
export interface ValidateDeps extends StandingDeps {
  readonly work: Pick<UnitOfWork, 'run' | 'read'>;
  readonly sealer: Sealer;
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
 * @throws Fault NOT_FOUND: an id, unlike a key, is known to exist or wrong; NOT_YET_SUPPORTED for a nonce
 */
export async function validateLicense(
  deps: ValidateDeps,
  permit: Permit,
  request: { readonly id: string; readonly input: ValidationInput },
): Promise<ValidationView> {
  deps.admit('validate');
  refuseNonce(request.input);
  const realm = realmOf(permit);
  const asked = { realm, licenseId: request.id, ...request.input };
  const standing = readStanding(deps, deps.work.read.in(realm), asked);
  if (standing === undefined) throw notFound('license', request.id);
  return judge(deps, permit, { standing, asked });
}

/** A standing that was read, and what was asked of it. */
export interface Judging {
  readonly standing: Standing;
  readonly asked: StandingRequest & Pick<ValidationInput, 'entitlements'>;
}

/**
 * Decides, counts the use, and lays out the answer. Waits for the disk only where a use is limited: everything else is
 * counted in memory and written behind.
 */
export async function judge(deps: ValidateDeps, permit: Permit, judging: Judging): Promise<ValidationView> {
  const { standing, asked } = judging;
  const now = deps.time.now();
  const full = permit.principal.kind === 'secret-key' || permit.principal.kind === 'operator';
  const decision = decide(standing.facts, questionOf(asked), now);
  if (decision.valid && standing.facts.maxUses !== null) {
    const used = await useDurably(deps, permit, judging);
    book(deps, standing, { uses: 0, validations: used.counted ? 0 : 1, now });
    countValidation(deps.validationCounts, asked.realm, { code: used.decision.code, at: now });
    return validationView(deps, { ...used, full, now });
  }
  book(deps, standing, { uses: Number(decision.valid), validations: 1, now });
  countValidation(deps.validationCounts, asked.realm, { code: decision.code, at: now });
  return validationView(deps, { standing, decision, full, now });
}

/** A response signature comes with a later version; an unsigned answer to a nonce would count as no answer. */
export function refuseNonce({ nonce }: Pick<ValidationInput, 'nonce'>): void {
  if (nonce === undefined) return;
  const message = 'this version does not sign answers; leave nonce out';
  throw new Fault('NOT_YET_SUPPORTED', message, {
    errors: [{ path: 'nonce', code: 'NOT_YET_SUPPORTED', message }],
  });
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

interface Used {
  readonly standing: Standing;
  readonly decision: Decision;
  readonly counted: boolean;
}

function useDurably(deps: ValidateDeps, permit: Permit, judging: Judging): Promise<Used> {
  return deps.work.run(permit, (tx) => useIn(deps, tx, judging));
}

/** Decides again inside the unit and counts one use by one conditional statement: the last use is given once. */
function useIn(deps: ValidateDeps, tx: Tx, { standing: before, asked }: Judging): Used {
  const { realm } = asked;
  const rows = tx.in(realm);
  const standing = readStanding(deps, rows, asked) ?? before;
  const decision = decide(standing.facts, questionOf(asked), tx.now);
  if (!decision.valid) return { standing, decision, counted: false };
  const pending = deps.licenseUsage.pending(realm, asked.licenseId)?.uses ?? 0;
  const limit = (standing.facts.maxUses ?? Number.MAX_SAFE_INTEGER) - pending;
  if (!consumeUse(rows, asked.licenseId, { limit, at: tx.now })) {
    const uses = Math.max(standing.facts.uses, standing.facts.maxUses ?? 0);
    const again = decide({ ...standing.facts, uses }, questionOf(asked), tx.now);
    return { standing, decision: again, counted: false };
  }
  const facts = { uses: usesOf(rows, asked.licenseId) + pending };
  append(tx, { realm, action: 'license.used', target: { kind: 'license', id: asked.licenseId }, facts });
  return { standing, decision, counted: true };
}
