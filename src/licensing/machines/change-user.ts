import type { KeyedDigest } from '../../custody/sealer.ts';
import { present } from '../../lib/invariant.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Tx } from '../../storage/tx.ts';
import type { Refusal } from '../refusal.ts';
import { readStanding, type Standing, type StandingDeps } from '../validation/standing.ts';
import { userRequired } from './claim.ts';
import type { MachineSnapshot } from './machine.ts';
import { type LimitNoticeDeps, refuseSeat, tellOfOverage } from './refuse-limit.ts';
import { crossesLimit } from './seat-limit.ts';
import { moveSeat, seatsTaken } from './seat-store.ts';
import { seatLimitOf } from './take-seat.ts';
import { countedUser } from './user-seat-store.ts';

/** What giving a machine another user needs. */
export interface ChangeUserDeps extends StandingDeps, LimitNoticeDeps {}

/** A machine, read in this very unit, and the digests of its new user, newest first; empty: nobody any more. */
export interface UserChange {
  readonly realm: RealmId;
  readonly machine: MachineSnapshot;
  readonly users: readonly KeyedDigest[];
}

/**
 * Moves the seat of a machine to another user. Where the policy counts seats per user, the other needs a free one, and
 * somebody has to be named.
 * @returns under which digest the machine is counted now; a refusal: nothing was moved
 */
export function changeUser(
  deps: ChangeUserDeps,
  tx: Tx,
  { realm, machine, users }: UserChange,
): { readonly userIndex: Buffer | null } | Refusal {
  const rows = tx.in(realm);
  const { licenseId } = machine;
  const standing = standingOf(deps, tx, { realm, machine });
  const limit = seatLimitOf(standing);
  const userIndex = countedUser(rows, licenseId, users);
  const holder = { licenseId, userIndex };
  if (limit.leasing === 'PER_USER' && userIndex === null) return userRequired();
  const before = seatsTaken(rows, holder, limit);
  if (!moveSeat(rows, { from: machine, to: userIndex }, limit)) {
    return refuseSeat(deps, tx, { standing, seats: before });
  }
  const seats = seatsTaken(rows, holder, limit);
  if (seats > before && crossesLimit(seats, standing.facts.maxMachines))
    tellOfOverage(deps, tx, { standing, seats });
  return { userIndex };
}

/** The standing of the licence of a living machine. */
export function standingOf(
  deps: StandingDeps,
  tx: Tx,
  { realm, machine }: Pick<UserChange, 'realm' | 'machine'>,
): Standing {
  const standing = readStanding(deps, tx.in(realm), { realm, licenseId: machine.licenseId });
  return present(standing, 'a living machine has a living licence');
}
