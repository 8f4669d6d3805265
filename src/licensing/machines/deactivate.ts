import type { Permit } from '../../access/index.ts';
import { Fault } from '../../faults.ts';
import { isoTime } from '../../lib/clock.ts';
import { present } from '../../lib/invariant.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { findLicense } from '../licenses/license-store.ts';
import type { PolicySettings } from '../policies/policy-settings.ts';
import { requireVersion, settle, STALE } from '../refusal.ts';
import type { Guarded } from '../schema.ts';
import type { PolicySource } from '../validation/standing.ts';
import type { Challenges } from './challenges.ts';
import { endMachine, type EndMachineDeps } from './end-machine.ts';
import { findMachine } from './machine-store.ts';
import type { MachineSnapshot } from './machine.ts';
import {
  holderOf,
  ownMachine,
  requireMachineSignature,
  requireSameSigner,
  type SignedRequest,
} from './own-machine.ts';

/** What deactivating needs. */
export interface DeactivateDeps extends EndMachineDeps {
  readonly work: Pick<UnitOfWork, 'run' | 'read'>;
  readonly policies: PolicySource;
  readonly challenges: Challenges;
}

/** Which machine, which versions of it the caller accepts, and the machine's signature if it has a key. */
export interface DeactivateMachine extends Guarded {
  readonly id: string;
  readonly signed: SignedRequest | null;
}

/**
 * Removes a machine and says when its seat is free: at once without an outstanding file, else when the newest file of
 * the machine expires. A licence holder may where the policy lets him
 * (`licenseHolderMayDeactivate`), or with the machine's own signature where machines may change
 * (`floating`, `allowMachineTransfer`).
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED, CONFLICT; MACHINE_SIGNATURE_REQUIRED, INSUFFICIENT_SCOPE
 */
export async function deactivateMachine(
  deps: DeactivateDeps,
  permit: Permit,
  request: DeactivateMachine,
): Promise<{ readonly freesAt: string }> {
  const realm = realmOf(permit);
  const reader = deps.work.read.in(realm);
  const asked = { machine: ownMachine(reader, permit, request.id), signed: request.signed };
  const seen = requireMachineSignature(deps, permit, asked);
  return settle(`machine ${request.id}`, async () => {
    const machine = ownMachine(reader, permit, request.id);
    requireSameSigner(permit, machine, seen);
    requireVersion(`machine ${machine.id}`, machine.version, request.versions);
    requireHolderMay(permit, machine, policyOf(deps, permit, machine));
    const ending = { realm, machine, reason: 'deactivated' } as const;
    return deps.work.run(permit, (tx) => {
      if (findMachine(tx.in(realm), machine.id)?.version !== machine.version) return STALE;
      const freesAt = present(endMachine(deps, tx, ending), 'a machine that was just read is alive');
      const done = { freesAt: isoTime(freesAt) };
      permit.remember(tx, done);
      return { done };
    });
  });
}

function policyOf(deps: DeactivateDeps, permit: Permit, machine: MachineSnapshot): PolicySettings {
  const realm = realmOf(permit);
  const reader = deps.work.read.in(realm);
  const license = present(findLicense(reader, machine.licenseId), 'a living machine has a living licence');
  return deps.policies.settings(reader, { realm, id: license.policyId, version: license.policyVersion });
}

function requireHolderMay(permit: Permit, machine: MachineSnapshot, policy: PolicySettings): void {
  if (holderOf(permit) === null || policy.licenseHolderMayDeactivate) return;
  const mayChange = policy.floating || policy.allowMachineTransfer;
  // Its signature was seen.
  if (machine.publicKey !== null && mayChange) return;
  throw new Fault('INSUFFICIENT_SCOPE', 'the policy does not let the holder of a licence remove machines');
}
