import type { Permit } from '../../access/index.ts';
import type { Tx } from '../../storage/tx.ts';
import type { Refusal } from '../refusal.ts';
import type { Standing } from '../validation/standing.ts';
import { endHoldOf } from './end-hold.ts';
import { isPublisher } from './holder-limits.ts';
import { dueHoldersOf, findHolder, type HoldingMachine } from './held-seat-store.ts';
import type { PreparedMachine } from './prepare-activation.ts';
import { reclaimDead, type ReclaimDeps } from './reclaim-dead.ts';
import { type LimitNoticeDeps, refuseSeat, tellOfOverage } from './refuse-limit.ts';
import { crossesLimit, seatsAllowed } from './seat-limit.ts';
import {
  claimSeat,
  moveSeat,
  releaseSeat,
  type SeatHolder,
  type SeatLimit,
  seatsTaken,
} from './seat-store.ts';
import { claimTenantMachine, uncountTenantMachine } from './tenant-limit-store.ts';

/** What taking a seat needs. */
export interface TakeSeatDeps extends ReclaimDeps, LimitNoticeDeps {}

/** A machine that wants a seat. */
export interface SeatTaking {
  readonly permit: Permit;
  readonly prepared: PreparedMachine;
  readonly standing: Standing;
  /** Whose seat it is to be; null: nobody was named. */
  readonly userIndex: Buffer | null;
}

/** Seats whose time is over that one activation gives back; a second activation finds the rest. */
const RELEASED_AT_ONCE = 16;

/**
 * Takes a seat for a machine, and counts it for its tenant: the one it never left while a file of it is good, else a
 * free one, else one whose time is over, else that of a dead machine. null: it has one.
 */
export function takeSeat(deps: TakeSeatDeps, tx: Tx, taking: SeatTaking): Refusal | null {
  const { prepared, standing } = taking;
  const { realm } = prepared;
  const full = claimTenantMachine(tx.in(realm), isPublisher(taking.permit) ? 'publisher' : 'holder');
  if (full !== null) return full;
  const holder = findHolder(tx.in(realm), standing.license.id, prepared.digests);
  if (holder === undefined ? findSeat(deps, tx, taking) : resumeSeat(tx, taking, holder)) return null;
  uncountTenantMachine(tx.in(realm));
  return refuseSeat(deps, tx, { standing, seats: takenNow(tx, taking) });
}

/** What the policy of a standing limits, the overage included. */
export function seatLimitOf({ policy, facts }: Standing): SeatLimit {
  return { leasing: policy.machineLeasing, most: seatsAllowed(facts.maxMachines, policy) };
}

/** The machine comes back to the seat that it never left; with another user, who needs a free one. */
function resumeSeat(tx: Tx, { prepared, standing, userIndex }: SeatTaking, holder: HoldingMachine): boolean {
  const { realm } = prepared;
  if (!moveSeat(tx.in(realm), { from: holder, to: userIndex }, seatLimitOf(standing))) return false;
  endHoldOf(tx, { realm, holder, action: 'machine.seat_resumed' });
  return true;
}

function findSeat(deps: TakeSeatDeps, tx: Tx, taking: SeatTaking): boolean {
  const { prepared, standing, userIndex } = taking;
  const { realm, row } = prepared;
  const rows = tx.in(realm);
  const { licenseId } = row;
  const limit = seatLimitOf(standing);
  const claim = (): boolean => claimSeat(rows, { licenseId, userIndex }, limit);
  const user = limit.leasing === 'PER_USER' ? userIndex : null;
  const of = { realm, licenseId, userIndex: user, policy: standing.policy };
  const taken =
    claim() || (giveBackDue(tx, prepared) && claim()) || reclaimDead(deps, tx, { of, enough: claim });
  if (taken) tellIfCrossed(deps, tx, taking);
  return taken;
}

function tellIfCrossed(deps: TakeSeatDeps, tx: Tx, taking: SeatTaking): void {
  const { maxMachines } = taking.standing.facts;
  const seats = takenNow(tx, taking);
  if (crossesLimit(seats, maxMachines)) tellOfOverage(deps, tx, { standing: taking.standing, seats });
}

function takenNow(tx: Tx, { prepared, standing, userIndex }: SeatTaking): number {
  const holder: SeatHolder = { licenseId: prepared.row.licenseId, userIndex };
  return seatsTaken(tx.in(prepared.realm), holder, seatLimitOf(standing));
}

/** Gives back the seats of removed machines whose files have expired; true when there was one. */
function giveBackDue(tx: Tx, { realm, row }: PreparedMachine): boolean {
  const due = dueHoldersOf(tx.in(realm), row.licenseId, { now: tx.now, limit: RELEASED_AT_ONCE });
  for (const holder of due) {
    endHoldOf(tx, { realm, holder, action: 'machine.seat_released' });
    releaseSeat(tx.in(realm), holder);
  }
  return due.length > 0;
}
