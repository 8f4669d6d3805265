import type { KeyedDigest } from '../../custody/sealer.ts';
import type { EpochMs } from '../../lib/clock.ts';
import { insertLicenseKey } from '../../storage/directory.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmTx } from '../../storage/tx.ts';
import { insertMetadata } from './license-metadata-store.ts';
import type { IndexedValue } from './license-metadata.ts';
import type { LicenseSnapshot, LicenseStatus } from './license.ts';
import { countMovedLicense } from './tenant-license-store.ts';
import { bookNotice } from './term-store.ts';
import { nextNotice } from './term.ts';

/** A new licence as stored. */
export interface NewLicense {
  readonly id: string;
  readonly productId: string;
  readonly policyId: string;
  readonly expiresAt: EpochMs | null;
  readonly startsOn: LicenseSnapshot['startsOn'];
  readonly maxMachinesOverride: number | null;
  readonly maxUsesOverride: number | null;
  readonly keyDigest: KeyedDigest;
  readonly keySealed: Buffer;
  readonly keyMasked: string;
  readonly keyOrigin: 'generated' | 'imported';
  readonly weakKey: number;
  readonly personal: Buffer | null;
  readonly emailIndex: Buffer | null;
  /** By what of its metadata it can be found. */
  readonly indexed: readonly IndexedValue[];
  readonly now: EpochMs;
}

type NewRow = Omit<NewLicense, 'keyDigest' | 'indexed'> & { readonly keyHash: Buffer };

const INSERT = statement<NewRow>()((db, p) =>
  db
    .insertInto('licenses')
    .values({
      realm_id: p.realm,
      id: p.id,
      product_id: p.productId,
      policy_id: p.policyId,
      status: 'active',
      expires_at: p.expiresAt,
      starts_on: p.startsOn,
      max_machines_override: p.maxMachinesOverride,
      max_uses_override: p.maxUsesOverride,
      key_hash: p.keyHash,
      key_sealed: p.keySealed,
      key_masked: p.keyMasked,
      key_origin: p.keyOrigin,
      weak_key: p.weakKey,
      personal: p.personal,
      user_email_index: p.emailIndex,
      created_at: p.now,
      updated_at: p.now,
    })
    .onConflict((conflict) => conflict.doNothing()),
);

const INSERT_SEATS = statement<{ id: string }>()((db, p) =>
  db.insertInto('license_seats').values({ realm_id: p.realm, license_id: p.id }),
);

const INSERT_USAGE = statement<{ id: string; noticeDue: EpochMs | null }>()((db, p) =>
  db.insertInto('license_usage').values({ realm_id: p.realm, license_id: p.id, notice_due: p.noticeDue }),
);

/** What a PATCH may change, and which row. */
export type EditedLicense = Pick<
  LicenseSnapshot,
  'id' | 'maxMachinesOverride' | 'maxUsesOverride' | 'personal' | 'updatedAt'
> & { readonly emailIndex: Buffer | null };

const UPDATE = statement<EditedLicense & { relied: number }>()((db, p) =>
  db
    .updateTable('licenses')
    .set((eb) => ({
      max_machines_override: p.maxMachinesOverride,
      max_uses_override: p.maxUsesOverride,
      personal: p.personal,
      user_email_index: p.emailIndex,
      updated_at: p.updatedAt,
      version: eb('version', '+', 1),
    }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('version', '=', p.relied)
    .where('deleted_at', 'is', null),
);

/** Where a licence stands after a transition, and from where it was seen to start. */
export interface MovedLicense {
  readonly id: string;
  readonly from: LicenseStatus;
  readonly relied: number;
  readonly to: LicenseStatus;
  readonly expiresAt: EpochMs | null;
  readonly startsOn: LicenseSnapshot['startsOn'];
  readonly policyId: string;
  readonly now: EpochMs;
}

const MOVE = statement<MovedLicense & { lapsedAt: EpochMs | null }>()((db, p) =>
  db
    .updateTable('licenses')
    .set((eb) => ({
      status: p.to,
      status_since: eb.case().when('status', '=', p.to).then(eb.ref('status_since')).else(p.now).end(),
      expires_at: p.expiresAt,
      starts_on: p.startsOn,
      lapsed_at: p.lapsedAt,
      policy_id: p.policyId,
      updated_at: p.now,
      version: eb('version', '+', 1),
    }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('status', '=', p.from)
    .where('version', '=', p.relied)
    .where('deleted_at', 'is', null),
);

const DELETE = statement<{ id: string; relied: number; now: EpochMs }>()((db, p) =>
  db
    .updateTable('licenses')
    .set((eb) => ({ deleted_at: p.now, updated_at: p.now, version: eb('version', '+', 1) }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('version', '=', p.relied)
    .where('deleted_at', 'is', null),
);

/**
 * Stores a new licence with its seats, its counters, and the way from its key to it. False: the realm has (or had) a
 * licence with this key; then the caller undoes the unit.
 */
export function insertLicense(tx: RealmTx, license: NewLicense): boolean {
  const { keyDigest, indexed, ...row } = license;
  if (tx.run(INSERT, { ...row, keyHash: keyDigest.digest }).changes === 0) return false;
  tx.run(INSERT_SEATS, { id: license.id });
  tx.run(INSERT_USAGE, { id: license.id, noticeDue: nextNotice(license.expiresAt, license.now) });
  insertMetadata(tx, license.id, indexed);
  return insertLicenseKey(tx, keyDigest, license.id);
}

/** Changes the licence while it has the version relied on. False: it has another, or is gone. */
export function updateLicense(tx: RealmTx, edited: EditedLicense, relied: number): boolean {
  return tx.run(UPDATE, { ...edited, relied }).changes === 1;
}

/** Moves the licence while it has the state and the version it was seen with. False: it has others, or is gone. */
export function moveLicense(tx: RealmTx, moved: MovedLicense): boolean {
  const lapsedAt = moved.to === 'expired' ? moved.expiresAt : null;
  if (tx.run(MOVE, { ...moved, lapsedAt }).changes === 0) return false;
  countMovedLicense(tx, moved.from, moved.to);
  return true;
}

/**
 * Deletes the licence (softly) while it has the version relied on. Its key stays reserved. False: it has another version,
 * or is gone.
 */
export function deleteLicense(tx: RealmTx, at: { id: string; relied: number; now: EpochMs }): boolean {
  if (tx.run(DELETE, at).changes === 0) return false;
  bookNotice(tx, at.id, null);
  return true;
}
