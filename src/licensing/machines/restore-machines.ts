import type { Outbox } from '../../delivery/outbox.ts';
import { Fault } from '../../faults.ts';
import { append } from '../../ledger/append.ts';
import { invariant } from '../../lib/invariant.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Tx } from '../../storage/tx.ts';
import type { LicenseSnapshot } from '../licenses/license.ts';
import type { PolicySettings } from '../policies/policy-settings.ts';
import { setComponentsLiving } from './component-store.ts';
import { heartbeatPatienceMs } from './heartbeat-rule.ts';
import { type EndMachineDeps, machineNow } from './end-machine.ts';
import { machineEvent } from './machine-event.ts';
import { digestsOfMachine } from './machine-sealing.ts';
import { machineDecides, type MachineSnapshot } from './machine.ts';
import { machinesGoneWith, reviveMachine } from './restore-store.ts';
import { seatsAllowed } from './seat-limit.ts';
import { claimSeat, type SeatLimit } from './seat-store.ts';
import { rescheduleHeartbeat } from './sweep-store.ts';
import { claimTenantMachine, countDeadMachine } from './tenant-limit-store.ts';
import { isActiveElsewhere } from './uniqueness-store.ts';

/** A licence that comes back, and what its policy says by now. */
export interface ComingBack {
  readonly realm: RealmId;
  readonly license: LicenseSnapshot;
  readonly policy: PolicySettings;
}

/** Named in every refusal: what can be done when the machines cannot come back. */
const REMEDY = 'restore it without its machines ("machines": false), and activate those that are needed';

/**
 * Brings back the machines that went with a licence, inside the unit that restores it: all of them, or none. One that held
 * its seat for an outstanding file comes back to it; the others take seats again, by the limits of now.
 * @returns how many
 * @throws Fault MACHINE_LIMIT_EXCEEDED, TENANT_LIMIT, FINGERPRINT_TAKEN: the unit is undone, and the licence stays deleted
 */
export function restoreMachines(deps: EndMachineDeps, tx: Tx, back: ComingBack): number {
  const machines = machinesGoneWith(tx.in(back.realm), back.license.id);
  for (const [before, machine] of machines.entries()) {
    const refused = obstacle(deps, tx, { ...back, machine });
    if (refused !== null) throw refused;
    if (!hasSeat(tx, back, machine)) {
      throw noSeats(back, { wanted: machines.length, had: before });
    }
    revive(deps, tx, { ...back, machine });
  }
  return machines.length;
}

/** A seat that was held is counted already. */
function hasSeat(tx: Tx, back: ComingBack, machine: MachineSnapshot): boolean {
  return machine.seatHeldUntil !== null || claimSeat(tx.in(back.realm), machine, seatLimit(back));
}

function obstacle(
  deps: EndMachineDeps,
  tx: Tx,
  { realm, license, policy, machine }: ComingBack & { readonly machine: MachineSnapshot },
): Fault | null {
  const { id: licenseId, policyId, productId } = license;
  const scope = { kind: policy.fingerprintUniqueness, licenseId, policyId, productId };
  if (isActiveElsewhere(tx.in(realm), scope, digestsOfMachine(deps, realm, machine))) {
    return new Fault(
      'FINGERPRINT_TAKEN',
      `machine ${machine.id} of licence ${licenseId} is active under another licence by now; ${REMEDY}`,
    );
  }
  if (policy.machineLeasing === 'PER_USER' && machine.userIndex === null) {
    return new Fault(
      'CONFLICT',
      `machine ${machine.id} of licence ${licenseId} names no user, and seats are counted per user by now; ${REMEDY}`,
    );
  }
  if (claimTenantMachine(tx.in(realm)) === null) return null;
  return new Fault('TENANT_LIMIT', `the tenant may not have the machines of licence ${licenseId}; ${REMEDY}`);
}

function seatLimit({ license, policy }: ComingBack): SeatLimit {
  const override = policy.overridable ? license.maxMachinesOverride : null;
  const most = seatsAllowed(override ?? policy.maxMachines, policy);
  return { leasing: policy.machineLeasing, most };
}

function noSeats({ license, policy }: ComingBack, count: { wanted: number; had: number }): Fault {
  const per = policy.machineLeasing === 'PER_USER' ? ' of their users' : '';
  return new Fault(
    'MACHINE_LIMIT_EXCEEDED',
    `licence ${license.id} had ${String(count.wanted)} machines, and there are seats${per} for ${String(count.had)} by now; ` +
      `raise its limit, or ${REMEDY}`,
  );
}

function revive(
  { outbox }: { readonly outbox: Outbox },
  tx: Tx,
  { realm, policy, machine }: ComingBack & { readonly machine: MachineSnapshot },
): void {
  const rows = tx.in(realm);
  const { id } = machine;
  invariant(reviveMachine(rows, id, tx.now), 'a machine read in this unit is there to be brought back');
  setComponentsLiving(rows, { id, living: true });
  if (machine.alive === 0) countDeadMachine(rows, { dead: true });
  // It could send no heartbeat while its licence was gone: it has one interval to begin again.
  const due = policy.requireHeartbeat ? tx.now + heartbeatPatienceMs(policy.heartbeatIntervalMinutes) : null;
  rescheduleHeartbeat(rows, id, machine.alive === 1 ? due : null);
  const after = machineNow(tx, realm, id);
  const [was, is] = [machineDecides(machine), machineDecides(after)];
  append(tx, { realm, action: 'machine.restored', target: { kind: 'machine', id }, before: was, after: is });
  outbox.emit(tx, { type: 'machine.activated', realm, data: machineEvent(after) });
}
