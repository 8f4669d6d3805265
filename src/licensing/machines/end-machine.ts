import type { Outbox } from '../../delivery/outbox.ts';
import { append } from '../../ledger/append.ts';
import { type EpochMs, isoTime } from '../../lib/clock.ts';
import { present } from '../../lib/invariant.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Tx } from '../../storage/tx.ts';
import { machineEvent } from './machine-event.ts';
import { digestsOfMachine, type FingerprintReading } from './machine-sealing.ts';
import { findMachine, machinesOfLicense, newestFileExpiry, removeMachine } from './machine-store.ts';
import { machineDecides, type MachineSnapshot } from './machine.ts';
import { releaseSeat } from './seat-store.ts';
import { rescheduleHeartbeat } from './sweep-store.ts';
import { uncountTenantMachine } from './tenant-limit-store.ts';

/** Why a machine's life ends. */
export type EndReason = 'deactivated' | 'dead' | 'license_deleted';

/** What ending a machine needs. */
export interface EndMachineDeps extends FingerprintReading {
  readonly outbox: Outbox;
}

/** Which machine ends, and why. */
export interface Ending {
  readonly realm: RealmId;
  readonly machine: MachineSnapshot;
  readonly reason: EndReason;
}

/**
 * Ends a machine's life inside a unit of the caller, with its ledger entry and event. Without an outstanding file the
 * seat is free at once; with one the machine can still run, so its seat stays taken until that file expires, under a
 * floating policy too: else one seat would give a file to any number of machines.
 * @returns when another machine can have the seat; undefined: the machine was gone already
 */
export function endMachine(deps: EndMachineDeps, tx: Tx, ending: Ending): EpochMs | undefined {
  const { realm, machine, reason } = ending;
  const rows = tx.in(realm);
  const withLicense = reason === 'license_deleted';
  const newest = newestFileExpiry(rows, machine.licenseId, digestsOfMachine(deps, realm, machine));
  const heldUntil = newest !== undefined && newest > tx.now ? newest : null;
  if (!removeMachine(rows, machine.id, { now: tx.now, heldUntil, withLicense })) return undefined;
  if (heldUntil === null) releaseSeat(rows, machine);
  uncountTenantMachine(rows, { dead: machine.alive === 0 });
  rescheduleHeartbeat(rows, machine.id, null);
  const before = machineDecides(machine);
  const after = machineDecides({ ...machine, deletedAt: tx.now, seatHeldUntil: heldUntil });
  const target = { kind: 'machine', id: machine.id };
  append(tx, { realm, action: 'machine.deactivated', target, before, after, facts: { reason } });
  const freesAt = heldUntil ?? tx.now;
  const data = { ...machineEvent(machine), reason, freesAt: isoTime(freesAt) };
  deps.outbox.emit(tx, { type: 'machine.deactivated', realm, data });
  return freesAt;
}

/** Machines that are read at a time; all of a licence go in one unit. */
const SLICE = 500;

/**
 * Ends every machine of a licence that is being deleted, inside the unit that deletes it. Seats stay taken while files are
 * outstanding: the licence may be restored, and must not come back with free seats then.
 * @returns how many
 */
export function endMachinesOf(
  deps: EndMachineDeps,
  tx: Tx,
  license: { readonly realm: RealmId; readonly id: string },
): number {
  const { realm, id } = license;
  let ended = 0;
  for (;;) {
    const machines = machinesOfLicense(tx.in(realm), id, SLICE);
    for (const machine of machines) {
      endMachine(deps, tx, { realm, machine, reason: 'license_deleted' });
    }
    ended += machines.length;
    if (machines.length < SLICE) return ended;
  }
}

/** Reads a machine again inside a unit. */
export function machineNow(tx: Tx, realm: RealmId, id: string): MachineSnapshot {
  return present(findMachine(tx.in(realm), id), 'a machine changed in this unit is there');
}
