import { invariant } from '../../lib/invariant.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';

/** A user of a licence, by the keyed digest of his address. */
export interface SeatUser {
  readonly licenseId: string;
  readonly userIndex: Buffer;
}

const SEATS = statement<SeatUser>()((db, p) =>
  db
    .selectFrom('license_user_seats')
    .select('seats')
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('user_index', '=', p.userIndex),
);

const CLAIM = statement<SeatUser & { most: number }>()((db, p) =>
  db
    .insertInto('license_user_seats')
    .values({ realm_id: p.realm, license_id: p.licenseId, user_index: p.userIndex, seats: 1 })
    .onConflict((conflict) =>
      conflict
        .columns(['realm_id', 'license_id', 'user_index'])
        .doUpdateSet((eb) => ({ seats: eb('license_user_seats.seats', '+', 1) }))
        .where('license_user_seats.seats', '<', p.most),
    ),
);

const RELEASE_LAST = statement<SeatUser>()((db, p) =>
  db
    .deleteFrom('license_user_seats')
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('user_index', '=', p.userIndex)
    .where('seats', '=', 1),
);

const RELEASE = statement<SeatUser>()((db, p) =>
  db
    .updateTable('license_user_seats')
    .set((eb) => ({ seats: eb('seats', '-', 1) }))
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('user_index', '=', p.userIndex)
    .where('seats', '>', 1),
);

/** Seats that a user has taken of a licence. */
export function seatsOfUser(reader: RealmReader, user: SeatUser): number {
  return reader.get(SEATS, user)?.seats ?? 0;
}

/** Takes one seat for a user who has fewer than `most` (at least 1), by one conditional statement. */
export function claimUserSeat(tx: RealmTx, user: SeatUser, most: number): boolean {
  return tx.run(CLAIM, { ...user, most }).changes === 1;
}

/** Gives one seat of a user back; a user without a seat leaves no row. */
export function releaseUserSeat(tx: RealmTx, user: SeatUser): void {
  if (tx.run(RELEASE_LAST, user).changes === 1) return;
  invariant(tx.run(RELEASE, user).changes === 1, 'a seat of a user that is given back was counted for him');
}

/**
 * Under which of the digests of one address its seats are counted: that of an older index key as long as seats are
 * counted there, so that a new key gives nobody a second count.
 * @param digests newest first; empty: no user was named
 */
export function countedUser(
  reader: RealmReader,
  licenseId: string,
  digests: readonly { readonly digest: Buffer }[],
): Buffer | null {
  const counted = digests.find(({ digest }) => seatsOfUser(reader, { licenseId, userIndex: digest }) > 0);
  return (counted ?? digests[0])?.digest ?? null;
}
