import type { EpochMs } from '../../lib/clock.ts';
import { invariant } from '../../lib/invariant.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';
import type { MachineSnapshot } from './machine.ts';
import { countProductSeat, uncountProductSeat } from './product-seat-store.ts';

const CLAIM = statement<{ licenseId: string; limit: number }>()((db, p) =>
  db
    .updateTable('license_seats')
    .set((eb) => ({ seats: eb('seats', '+', 1) }))
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('seats', '<', p.limit),
);

const CLAIM_UNLIMITED = statement<{ licenseId: string }>()((db, p) =>
  db
    .updateTable('license_seats')
    .set((eb) => ({ seats: eb('seats', '+', 1) }))
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId),
);

const RELEASE = statement<{ licenseId: string }>()((db, p) =>
  db
    .updateTable('license_seats')
    .set((eb) => ({ seats: eb('seats', '-', 1) }))
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId),
);

/** A removed machine that still holds its seat. */
export type HoldingMachine = Pick<
  MachineSnapshot,
  'id' | 'licenseId' | 'alive' | 'publicKey' | 'createdAt' | 'deletedAt' | 'seatHeldUntil'
>;

const HOLDING = [
  'id',
  'license_id as licenseId',
  'alive',
  'public_key as publicKey',
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

const IN_REALM = statement<{ licenseId: string; hash: Buffer }>()((db, p) =>
  db
    .selectFrom('machines')
    .select('id')
    .where('realm_id', '=', p.realm)
    .where('fingerprint_hash', '=', p.hash)
    .where('license_id', '!=', p.licenseId)
    .where('deleted_at', 'is', null)
    .limit(1),
);

const IN_PRODUCT = statement<{ licenseId: string; hash: Buffer; productId: string }>()((db, p) =>
  db
    .selectFrom('machines as m')
    .innerJoin('licenses as l', (join) =>
      join.onRef('l.realm_id', '=', 'm.realm_id').onRef('l.id', '=', 'm.license_id'),
    )
    .select('m.id as id')
    .where('m.realm_id', '=', p.realm)
    .where('m.fingerprint_hash', '=', p.hash)
    .where('m.license_id', '!=', p.licenseId)
    .where('m.deleted_at', 'is', null)
    .where('l.product_id', '=', p.productId)
    .limit(1),
);

const IN_POLICY = statement<{ licenseId: string; hash: Buffer; policyId: string }>()((db, p) =>
  db
    .selectFrom('machines as m')
    .innerJoin('licenses as l', (join) =>
      join.onRef('l.realm_id', '=', 'm.realm_id').onRef('l.id', '=', 'm.license_id'),
    )
    .select('m.id as id')
    .where('m.realm_id', '=', p.realm)
    .where('m.fingerprint_hash', '=', p.hash)
    .where('m.license_id', '!=', p.licenseId)
    .where('m.deleted_at', 'is', null)
    .where('l.policy_id', '=', p.policyId)
    .limit(1),
);

const LIVING_FINGERPRINTS = statement<{ licenseId: string }>()((db, p) =>
  db
    .selectFrom('machines')
    .select((eb) => eb.fn.count<number>('fingerprint_hash').as('fingerprints'))
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('deleted_at', 'is', null),
);

const FORMER_FINGERPRINTS = statement<{ licenseId: string }>()((db, p) =>
  db
    .selectFrom('machines as f')
    .select((eb) => eb.fn.count<number>('f.fingerprint_hash').distinct().as('fingerprints'))
    .where('f.realm_id', '=', p.realm)
    .where('f.license_id', '=', p.licenseId)
    .where('f.deleted_at', 'is not', null)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('machines as living')
            .select('living.id')
            .whereRef('living.realm_id', '=', 'f.realm_id')
            .whereRef('living.license_id', '=', 'f.license_id')
            .whereRef('living.fingerprint_hash', '=', 'f.fingerprint_hash')
            .where('living.deleted_at', 'is', null),
        ),
      ),
    ),
);

const WAS_HERE = statement<{ licenseId: string; hash: Buffer }>()((db, p) =>
  db
    .selectFrom('machines')
    .select('id')
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('fingerprint_hash', '=', p.hash)
    .where('deleted_at', 'is not', null)
    .limit(1),
);

/**
 * Takes one seat of a licence, by one conditional statement: of two callers who want the last one, one gets it.
 * @param limit null = unlimited
 */
export function claimSeat(tx: RealmTx, licenseId: string, limit: number | null): boolean {
  const changed =
    limit === null ? tx.run(CLAIM_UNLIMITED, { licenseId }) : tx.run(CLAIM, { licenseId, limit });
  if (changed.changes === 0) return false;
  countProductSeat(tx, licenseId);
  return true;
}

/** Gives one seat back. */
export function releaseSeat(tx: RealmTx, licenseId: string): void {
  invariant(tx.run(RELEASE, { licenseId }).changes === 1, 'a licence whose machine goes has a row of seats');
  uncountProductSeat(tx, licenseId);
}

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

/** Within what one machine may be active only once, beyond its licence. */
export interface UniquenessScope {
  readonly kind: 'PER_LICENSE' | 'PER_POLICY' | 'PER_PRODUCT' | 'PER_REALM';
  readonly licenseId: string;
  readonly policyId: string;
  readonly productId: string;
}

/** Whether a machine with this fingerprint lives under another licence of the scope. */
export function isActiveElsewhere(
  reader: RealmReader,
  scope: UniquenessScope,
  digests: readonly { readonly digest: Buffer }[],
): boolean {
  return digests.some(({ digest }) => elsewhere(reader, scope, digest) !== undefined);
}

function elsewhere(reader: RealmReader, scope: UniquenessScope, hash: Buffer): { id: string } | undefined {
  const { kind, licenseId, policyId, productId } = scope;
  switch (kind) {
    case 'PER_LICENSE':
      return undefined; // the unique index of the table sees to that
    case 'PER_POLICY':
      return reader.get(IN_POLICY, { licenseId, hash, policyId });
    case 'PER_PRODUCT':
      return reader.get(IN_PRODUCT, { licenseId, hash, productId });
    case 'PER_REALM':
      return reader.get(IN_REALM, { licenseId, hash });
  }
}

/** How many different fingerprints a licence has had in its life, the living ones included. */
export function fingerprintsEver(reader: RealmReader, licenseId: string): number {
  const living = reader.get(LIVING_FINGERPRINTS, { licenseId })?.fingerprints ?? 0;
  const former = reader.get(FORMER_FINGERPRINTS, { licenseId })?.fingerprints ?? 0;
  return living + former;
}

/** Whether a removed machine of the licence had this fingerprint. */
export function hadFingerprint(
  reader: RealmReader,
  licenseId: string,
  digests: readonly { readonly digest: Buffer }[],
): boolean {
  return digests.some(({ digest }) => reader.get(WAS_HERE, { licenseId, hash: digest }) !== undefined);
}
