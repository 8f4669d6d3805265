import type { Permit } from '../../access/index.ts';
import type { Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { holdsScope, realmOf } from '../caller.ts';
import { notFound, type Outcome, refusal, settle } from '../refusal.ts';
import { readStanding, type StandingDeps } from '../validation/standing.ts';
import { claimMachine, type ClaimDeps } from './claim.ts';
import type { MachineInput } from './machine-schema.ts';
import { machineView, type MachineView, type MachineViewDeps } from './machine-view.ts';
import { holderOf } from './own-machine.ts';
import {
  type MachineFacts,
  prepareMachine,
  type PreparedMachine,
  type PrepareDeps,
} from './prepare-activation.ts';
import { refuseSuspendedTenant } from './suspended-tenant.ts';

/** What activating needs. */
export interface ActivateDeps extends PrepareDeps, StandingDeps, ClaimDeps, MachineViewDeps {
  readonly work: Pick<UnitOfWork, 'run'>;
  /** @throws the fault of a state of the appliance in which nothing is created */
  readonly admit: (activity: 'create') => void;
}

/** A machine, and whether this request activated it. */
export interface Activated {
  readonly machine: MachineView;
  readonly version: number;
  readonly created: boolean;
}

/**
 * Activates a machine under a licence, taking one seat; the same fingerprint again gives the machine that is there.
 * @throws Fault NOT_FOUND, MACHINE_LIMIT_EXCEEDED, FINGERPRINT_LIMIT_EXCEEDED, MACHINE_KEY_MISMATCH, FINGERPRINT_TAKEN;
 *   CHANGE_LIMIT_EXCEEDED, TENANT_LIMIT,
 *   TENANT_SUSPENDED; SUSPENDED, EXPIRED, REVOKED or BANNED; VALIDATION_FAILED for a key that is not
 *   proven, or without a user where seats are counted per user
 */
export async function activateMachine(
  deps: ActivateDeps,
  permit: Permit,
  request: { readonly licenseId: string; readonly input: MachineInput },
): Promise<Activated> {
  deps.admit('create');
  const realm = realmOf(permit);
  const { licenseId, input } = request;
  const holder = holderOf(permit);
  if (holder !== null && holder !== licenseId) throw notFound('licence', licenseId);
  const prepared = prepareMachine(deps, { realm, licenseId }, machineFacts(input));
  return settle('the licence', () => deps.work.run(permit, (tx) => activate(deps, tx, { permit, prepared })));
}

function activate(
  deps: ActivateDeps,
  tx: Tx,
  { permit, prepared }: { readonly permit: Permit; readonly prepared: PreparedMachine },
): Outcome<Activated> {
  const { realm, fingerprint, sent: components, row } = prepared;
  const { licenseId } = row;
  const standing = readStanding(deps, tx.in(realm), { realm, licenseId, fingerprint, components });
  if (standing === undefined) return refusal('NOT_FOUND', `there is no licence ${licenseId}`);
  // A machine that is there goes on; only a new one is business with a tenant who does none.
  const suspended = standing.machine === null ? refuseSuspendedTenant(tx, permit) : null;
  if (suspended !== null) return suspended;
  const claimed = claimMachine(deps, tx, { permit, prepared, standing });
  if ('refused' in claimed) return claimed;
  const { machine, created } = claimed;
  const reveal = holdsScope(permit, 'licenses:reveal');
  const done = { machine: machineView(deps, machine, { realm, reveal }), version: machine.version, created };
  // An answer that changed nothing need not be kept: whoever asks again is told the same.
  if (created) permit.remember(tx, done);
  return { done };
}

/** The machine a body describes. */
export function machineFacts(input: MachineInput): MachineFacts {
  return {
    fingerprint: input.fingerprint,
    components: input.components ?? {},
    publicKey: input.publicKey ?? null,
    proof: input.proof ?? null,
    platform: input.platform ?? null,
    cores: input.cores ?? null,
    personal: {
      name: input.name ?? null,
      hostname: input.hostname ?? null,
      userEmail: input.userEmail ?? null,
      metadata: input.metadata ?? {},
    },
  };
}
