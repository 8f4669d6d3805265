import { invariant } from '../../lib/invariant.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';
import type { PolicySettings } from '../policies/policy-settings.ts';
import { countProductSeat, uncountProductSeat } from './product-seat-store.ts';
import { claimUserSeat, releaseUserSeat, seatsOfUser } from './user-seat-store.ts';

/** More seats than any licence counts: the limit of one without a limit. */
const UNLIMITED = Number.MAX_SAFE_INTEGER;

const CLAIM = statement<{ licenseId: string; most: number }>()((db, p) =>
  db
    .updateTable('license_seats')
    .set((eb) => ({ seats: eb('seats', '+', 1) }))
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('seats', '<', p.most),
);

const RELEASE = statement<{ licenseId: string }>()((db, p) =>
  db
    .updateTable('license_seats')
    .set((eb) => ({ seats: eb('seats', '-', 1) }))
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId),
);

const SEATS = statement<{ licenseId: string }>()((db, p) =>
  db
    .selectFrom('license_seats')
    .select('seats')
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId),
);

/** Whose seat it is: the licence's, and the user's of its machine (null: nobody was named). */
export interface SeatHolder {
  readonly licenseId: string;
  readonly userIndex: Buffer | null;
}

/** How many seats there are, and what they are counted per. */
export interface SeatLimit {
  readonly leasing: PolicySettings['machineLeasing'];
  /** null: any number. */
  readonly most: number | null;
}

/**
 * Takes one seat, by one conditional statement: of two callers who want the last one, one gets it. Seats are counted per
 * licence and per user always, whatever the policy limits: so it can change, and the licence move to another, without
 * anything to count anew.
 */
export function claimSeat(tx: RealmTx, { licenseId, userIndex }: SeatHolder, limit: SeatLimit): boolean {
  const most = limit.most ?? UNLIMITED;
  const perUser = limit.leasing === 'PER_USER';
  invariant(!perUser || userIndex !== null, 'who takes a seat that is counted per user is known');
  const user = userIndex === null ? null : { licenseId, userIndex };
  if (perUser && user !== null && !claimUserSeat(tx, user, most)) return false;
  if (tx.run(CLAIM, { licenseId, most: perUser ? UNLIMITED : most }).changes === 0) return false;
  if (!perUser && user !== null) claimUserSeat(tx, user, UNLIMITED);
  countProductSeat(tx, licenseId);
  return true;
}

/** Gives one seat back. */
export function releaseSeat(tx: RealmTx, { licenseId, userIndex }: SeatHolder): void {
  invariant(tx.run(RELEASE, { licenseId }).changes === 1, 'a licence whose machine goes has a row of seats');
  if (userIndex !== null) releaseUserSeat(tx, { licenseId, userIndex });
  uncountProductSeat(tx, licenseId);
}

/**
 * Moves one seat from a user to another. Where seats are counted per user the other needs a free one, claimed by one
 * conditional statement; else it is only counted elsewhere. False: the other has none, and nothing was moved.
 */
export function moveSeat(
  tx: RealmTx,
  move: { readonly from: SeatHolder; readonly to: Buffer | null },
  limit: SeatLimit,
): boolean {
  const { from, to } = move;
  const { licenseId, userIndex } = from;
  if (isSameUser(userIndex, to)) return true;
  const most = limit.leasing === 'PER_USER' ? (limit.most ?? UNLIMITED) : UNLIMITED;
  if (to !== null && !claimUserSeat(tx, { licenseId, userIndex: to }, most)) return false;
  if (userIndex !== null) releaseUserSeat(tx, { licenseId, userIndex });
  return true;
}

/** Seats taken of what the limit counts: of the licence, or of the user (none for nobody). */
export function seatsTaken(
  reader: RealmReader,
  { licenseId, userIndex }: SeatHolder,
  { leasing }: Pick<SeatLimit, 'leasing'>,
): number {
  if (leasing === 'PER_LICENSE') return reader.get(SEATS, { licenseId })?.seats ?? 0;
  return userIndex === null ? 0 : seatsOfUser(reader, { licenseId, userIndex });
}

function isSameUser(one: Buffer | null, other: Buffer | null): boolean {
  return one === null || other === null ? one === other : one.equals(other);
}
