import { type EpochMs, isoTime } from '../../lib/clock.ts';
import { present } from '../../lib/invariant.ts';
import { equalBytes } from '../../lib/secret.ts';
import { append } from '../../ledger/append.ts';
import type { Tx } from '../../storage/tx.ts';
import { countDay, dayOf } from '../analytics/day-count-store.ts';
import { firstActivation, type StartTermDeps } from '../licenses/start-term.ts';
import { type Refusal, refusal } from '../refusal.ts';
import { blockedBy } from '../validation/decide.ts';
import type { Standing } from '../validation/standing.ts';
import { heartbeatPatienceMs } from './heartbeat-rule.ts';
import type { LimitNotices } from './limit-notices.ts';
import { insertComponent } from './component-store.ts';
import { findMachine, insertMachine } from './machine-store.ts';
import { machineDecides, type MachineSnapshot } from './machine.ts';
import type { PreparedMachine } from './prepare-activation.ts';
import {
  claimSeat,
  dueHoldersOf,
  endHold,
  findHolder,
  fingerprintsEver,
  hadFingerprint,
  type HoldingMachine,
  isActiveElsewhere,
  releaseSeat,
} from './seat-store.ts';
import { claimTenantMachine, uncountTenantMachine } from './tenant-limit-store.ts';

/** What claiming a seat needs. */
export interface ClaimDeps extends StartTermDeps {
  readonly limitNotices: LimitNotices;
}

/** The machine, and whether this unit stored it. */
export interface Claimed {
  readonly machine: MachineSnapshot;
  readonly created: boolean;
}

/** Seats whose time is over that one activation gives back; a second activation finds the rest. */
const RELEASED_AT_ONCE = 16;

/**
 * Activates a machine inside a unit of the caller: the one place where a seat is taken. What cannot be told from
 * versions (seats, uniqueness, distinct fingerprints) is decided here, inside the transaction.
 * @param standing read in this very unit, with the machine of the prepared fingerprint
 * @returns a refusal as a value: the unit then commits the entry and the event that tell of it
 */
export function claimMachine(
  deps: ClaimDeps,
  tx: Tx,
  given: {
    readonly prepared: PreparedMachine;
    readonly standing: Standing;
    /** From when a term that this activation begins is counted; left out: now. */
    readonly termFrom?: EpochMs;
  },
): Claimed | Refusal {
  const { prepared, standing } = given;
  if (standing.machine !== null) return sameMachine(standing.machine, prepared);
  const blocked = blockedBy(standing.facts, tx.now);
  if (blocked !== null) return refusal(blocked, `licence ${standing.license.id} is ${blocked.toLowerCase()}`);
  const rejected = rejectFingerprint(tx, prepared, standing);
  if (rejected !== null) return rejected;
  const full = takeSeat(deps, tx, { prepared, standing });
  if (full !== null) return full;
  const claimed = store(deps, tx, { prepared, standing });
  firstActivation(deps, tx, { standing, from: given.termFrom ?? tx.now });
  return claimed;
}

/** The same fingerprint again is the same machine, unless it comes with another key. */
function sameMachine(machine: MachineSnapshot, { row }: PreparedMachine): Claimed | Refusal {
  const other =
    row.publicKey !== null && (machine.publicKey === null || !equalBytes(machine.publicKey, row.publicKey));
  if (!other) return { machine, created: false };
  return refusal(
    'MACHINE_KEY_MISMATCH',
    `machine ${machine.id} is registered with another key, or with none`,
  );
}

function rejectFingerprint(tx: Tx, prepared: PreparedMachine, { license, policy }: Standing): Refusal | null {
  const reader = tx.in(prepared.realm);
  const { id, policyId, productId } = license;
  const scope = { kind: policy.fingerprintUniqueness, licenseId: id, policyId, productId };
  if (isActiveElsewhere(reader, scope, prepared.digests)) {
    return refusal(
      'FINGERPRINT_TAKEN',
      'this machine is active under another licence; the policy allows it once',
    );
  }
  const cap = policy.maxUniqueFingerprints;
  if (cap === null || hadFingerprint(reader, id, prepared.digests)) return null;
  if (fingerprintsEver(reader, id) < cap) return null;
  return refusal(
    'MACHINE_LIMIT_EXCEEDED',
    `licence ${id} has had ${cap} different machines, as many as it may`,
  );
}

interface Claiming {
  readonly prepared: PreparedMachine;
  readonly standing: Standing;
}

/** Null: the machine has its seat, and is counted for its tenant. */
function takeSeat(deps: ClaimDeps, tx: Tx, claiming: Claiming): Refusal | null {
  const { prepared, standing } = claiming;
  const { realm } = prepared;
  if (!claimTenantMachine(tx, realm)) {
    return refusal('TENANT_LIMIT', 'the tenant has as many machines in this environment as it may');
  }
  const holder = findHolder(tx.in(realm), standing.license.id, prepared.digests);
  if (holder !== undefined) {
    // The machine comes back to the seat that it never left: a file of it is still good.
    endHoldOf(tx, { realm, holder, action: 'machine.seat_resumed' });
    return null;
  }
  if (findSeat(tx, claiming)) return null;
  uncountTenantMachine(tx.in(realm));
  return refuseSeat(deps, tx, standing);
}

function findSeat(tx: Tx, { prepared, standing }: Claiming): boolean {
  const rows = tx.in(prepared.realm);
  const { license, facts } = standing;
  if (claimSeat(rows, license.id, facts.maxMachines)) return true;
  return giveBackDue(tx, prepared) && claimSeat(rows, license.id, facts.maxMachines);
}

/** Gives back the seats of removed machines whose files have expired; true when there was one. */
function giveBackDue(tx: Tx, { realm, row }: PreparedMachine): boolean {
  const due = dueHoldersOf(tx.in(realm), row.licenseId, { now: tx.now, limit: RELEASED_AT_ONCE });
  for (const holder of due) {
    endHoldOf(tx, { realm, holder, action: 'machine.seat_released' });
    releaseSeat(tx.in(realm), holder.licenseId);
  }
  return due.length > 0;
}

/** Ends a removed machine's hold on its seat, and says so in the ledger. */
export function endHoldOf(
  tx: Tx,
  hold: {
    readonly realm: PreparedMachine['realm'];
    readonly holder: HoldingMachine;
    readonly action: 'machine.seat_released' | 'machine.seat_resumed';
  },
): void {
  const { realm, holder, action } = hold;
  if (!endHold(tx.in(realm), holder.id, tx.now)) return;
  const before = machineDecides(holder);
  const after = machineDecides({ ...holder, seatHeldUntil: null });
  append(tx, { realm, action, target: { kind: 'machine', id: holder.id }, before, after });
}

function refuseSeat(
  { outbox, limitNotices }: ClaimDeps,
  tx: Tx,
  { realm, license, facts }: Standing,
): Refusal {
  const limit = present(facts.maxMachines, 'only a limited licence runs out of seats');
  const refusals = limitNotices.due(realm, license.id, tx.now);
  if (refusals !== null) {
    const target = { kind: 'license', id: license.id };
    append(tx, {
      ...{ realm, target, action: 'machine.activate', outcome: 'refused' },
      facts: { limit, seats: facts.seats, refusals },
    });
    const data = { id: license.id, maxMachines: limit, seats: facts.seats, refusals };
    outbox.emit(tx, { type: 'license.limit_reached', realm, data });
    tx.afterCommit(() => limitNotices.told(realm, license.id, tx.now));
  }
  const taken = `${facts.seats} of ${limit}`;
  return refusal('MACHINE_LIMIT_EXCEEDED', `licence ${license.id} has no free seat: ${taken} are taken`);
}

function store({ outbox, limitNotices }: ClaimDeps, tx: Tx, { prepared, standing }: Claiming): Claimed {
  const { realm, row, components } = prepared;
  const rows = tx.in(realm);
  insertMachine(rows, row, { now: tx.now, heartbeatDue: firstHeartbeatDue(standing, tx.now) });
  countDay(rows, { kind: 'activation', day: dayOf(tx.now), name: '' }, 1);
  for (const component of components) insertComponent(rows, row, component);
  const machine = present(findMachine(rows, row.id), 'a machine that was just stored is there');
  const target = { kind: 'machine', id: machine.id };
  append(tx, { realm, action: 'machine.activated', target, after: machineDecides(machine) });
  outbox.emit(tx, { type: 'machine.activated', realm, data: machineEvent(machine) });
  tx.afterCommit(() => limitNotices.forget(realm, machine.licenseId));
  return { machine, created: true };
}

function firstHeartbeatDue({ policy }: Standing, now: EpochMs): EpochMs | null {
  return policy.requireHeartbeat ? now + heartbeatPatienceMs(policy.heartbeatIntervalMinutes) : null;
}

/** Characters of the keyed fingerprint digest in events: enough to tell machines apart. */
const EVENT_DIGEST_BYTES = 16;

/** What events tell of a machine: ids and a digest, no device value, nothing personal. */
export function machineEvent(machine: MachineSnapshot) {
  return {
    id: machine.id,
    licenseId: machine.licenseId,
    fingerprintDigest: machine.fingerprintHash.subarray(0, EVENT_DIGEST_BYTES).toString('hex'),
    platform: machine.platform,
    status: machine.alive === 1 ? 'alive' : 'dead',
    createdAt: isoTime(machine.createdAt),
  };
}
