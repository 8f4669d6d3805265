import type { EpochMs } from '../../lib/clock.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';
import type { MachineSnapshot } from './machine.ts';

/** A removed machine that still holds its seat. */
export type HoldingMachine = Pick<
  MachineSnapshot,
  'id' | 'licenseId' | 'alive' | 'publicKey' | 'userIndex' | 'createdAt' | 'deletedAt' | 'seatHeldUntil'
>;

const HOLDING = [
  'id',
  'license_id as licenseId',
  'alive',
  'public_key as publicKey',
  'user_index as userIndex',
  'created_at as createdAt',
  'deleted_at as deletedAt',
  'seat_held_until as seatHeldUntil',
] as const;

const HELD_BY_FINGERPRINT = statement<{ licenseId: string; hash: Buffer }>()((db, p) =>
  db
    .selectFrom('machines')
    .select(HOLDING)
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('fingerprint_hash', '=', p.hash)
    .where('deleted_at', 'is not', null)
    .where('seat_held_until', 'is not', null)
    .limit(1),
);

const DUE_OF_LICENSE = statement<{ licenseId: string; now: EpochMs; limit: number }>()((db, p) =>
  db
    .selectFrom('machines')
    .select(HOLDING)
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('seat_held_until', '<=', p.now)
    .orderBy('seat_held_until')
    .limit(p.limit),
);

const DUE = statement<{ now: EpochMs; limit: number }>()((db, p) =>
  db
    .selectFrom('machines')
    .select(HOLDING)
    .where('realm_id', '=', p.realm)
    .where('seat_held_until', '<=', p.now)
    .orderBy('seat_held_until')
    .limit(p.limit),
);

const END_HOLD = statement<{ id: string; now: EpochMs }>()((db, p) =>
  db
    .updateTable('machines')
    .set((eb) => ({ seat_held_until: null, updated_at: p.now, version: eb('version', '+', 1) }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('seat_held_until', 'is not', null),
);

/** The removed machine with this fingerprint that still holds a seat of the licence. */
export function findHolder(
  reader: RealmReader,
  licenseId: string,
  digests: readonly { readonly digest: Buffer }[],
): HoldingMachine | undefined {
  for (const { digest } of digests) {
    const found = reader.get(HELD_BY_FINGERPRINT, { licenseId, hash: digest });
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Removed machines of one licence whose hold on a seat has ended by `now`. */
export function dueHoldersOf(
  reader: RealmReader,
  licenseId: string,
  due: { readonly now: EpochMs; readonly limit: number },
): HoldingMachine[] {
  return reader.all(DUE_OF_LICENSE, { licenseId, ...due });
}

/** Removed machines of the realm whose hold on a seat has ended by `now`. */
export function dueHolders(
  reader: RealmReader,
  due: { readonly now: EpochMs; readonly limit: number },
): HoldingMachine[] {
  return reader.all(DUE, due);
}

/** Ends a removed machine's hold on its seat; false when it held none. The seat itself is the caller's to move. */
export function endHold(tx: RealmTx, id: string, now: EpochMs): boolean {
  return tx.run(END_HOLD, { id, now }).changes === 1;
}
