import type { ExpressionBuilder } from 'kysely';
import type { EpochMs } from '../../lib/clock.ts';
import type { Schema } from '../../storage/schema.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';
import { setComponentsLiving } from './component-store.ts';
import type { MachineSnapshot } from './machine.ts';
import { countDeadMachine } from './tenant-limit-store.ts';

/** Columns of one snapshot; every read of machines answers these. */
export const MACHINE_COLUMNS = [
  'm.seq as seq',
  'm.id as id',
  'm.license_id as licenseId',
  'm.fingerprint_hash as fingerprintHash',
  'm.fingerprint_sealed as fingerprintSealed',
  'm.public_key as publicKey',
  'm.alive as alive',
  'm.platform as platform',
  'm.cores as cores',
  'm.personal as personal',
  'm.user_index as userIndex',
  'm.seat_held_until as seatHeldUntil',
  'm.version as version',
  'm.created_at as createdAt',
  'm.updated_at as updatedAt',
  'm.deleted_at as deletedAt',
  'u.last_heartbeat_at as lastHeartbeatAt',
  'u.last_validated_at as lastValidatedAt',
  'u.last_checked_out_at as lastCheckedOutAt',
] as const;

type Db = Parameters<Parameters<ReturnType<typeof statement>>[0]>[0];

const snapshots = (db: Db) =>
  db
    .selectFrom('machines as m')
    .innerJoin('machine_usage as u', (join) =>
      join.onRef('u.realm_id', '=', 'm.realm_id').onRef('u.machine_id', '=', 'm.id'),
    )
    .select(MACHINE_COLUMNS);

const ONE = statement<{ id: string }>()((db, p) =>
  snapshots(db).where('m.realm_id', '=', p.realm).where('m.id', '=', p.id).where('m.deleted_at', 'is', null),
);

const BY_FINGERPRINT = statement<{ licenseId: string; hash: Buffer }>()((db, p) =>
  snapshots(db)
    .where('m.realm_id', '=', p.realm)
    .where('m.license_id', '=', p.licenseId)
    .where('m.fingerprint_hash', '=', p.hash)
    .where('m.deleted_at', 'is', null),
);

const OF_LICENSE = statement<{ licenseId: string; limit: number }>()((db, p) =>
  snapshots(db)
    .where('m.realm_id', '=', p.realm)
    .where('m.license_id', '=', p.licenseId)
    .where('m.deleted_at', 'is', null)
    .orderBy('m.seq')
    .limit(p.limit),
);

/** What a new machine is stored with. */
export interface NewMachine {
  readonly id: string;
  readonly licenseId: string;
  /** Of its licence, which never changes it. */
  readonly productId: string;
  readonly fingerprintHash: Buffer;
  readonly fingerprintSealed: Buffer;
  readonly indexVersion: number;
  readonly publicKey: Buffer | null;
  readonly platform: string | null;
  readonly cores: number | null;
  readonly personal: Buffer | null;
  /** Whose seat it takes: a keyed digest of the user's address; null: nobody was named. */
  readonly userIndex: Buffer | null;
}

const INSERT = statement<NewMachine & { now: EpochMs }>()((db, p) =>
  db.insertInto('machines').values({
    realm_id: p.realm,
    id: p.id,
    license_id: p.licenseId,
    product_id: p.productId,
    fingerprint_hash: p.fingerprintHash,
    fingerprint_sealed: p.fingerprintSealed,
    index_version: p.indexVersion,
    public_key: p.publicKey,
    platform: p.platform,
    cores: p.cores,
    personal: p.personal,
    user_index: p.userIndex,
    created_at: p.now,
    updated_at: p.now,
  }),
);

const INSERT_USAGE = statement<{ id: string; licenseId: string; heartbeatDue: EpochMs | null }>()((db, p) =>
  db.insertInto('machine_usage').values({
    realm_id: p.realm,
    machine_id: p.id,
    license_id: p.licenseId,
    heartbeat_due: p.heartbeatDue,
  }),
);

const REMOVE = statement<{
  id: string;
  now: EpochMs;
  heldUntil: EpochMs | null;
  withLicense: number | null;
}>()((db, p) =>
  db
    .updateTable('machines')
    .set((eb) => ({
      deleted_at: p.now,
      updated_at: p.now,
      seat_held_until: p.heldUntil,
      deleted_with_license: p.withLicense,
      version: next(eb),
    }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('deleted_at', 'is', null),
);

/** The columns of a machine that its owner may edit. */
export interface MachineEdit {
  readonly platform: string | null;
  readonly cores: number | null;
  readonly personal: Buffer | null;
  readonly userIndex: Buffer | null;
}

const EDIT = statement<MachineEdit & { id: string; version: number; now: EpochMs }>()((db, p) =>
  db
    .updateTable('machines')
    .set((eb) => ({
      platform: p.platform,
      cores: p.cores,
      personal: p.personal,
      user_index: p.userIndex,
      updated_at: p.now,
      version: next(eb),
    }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('version', '=', p.version)
    .where('deleted_at', 'is', null),
);

const REKEY = statement<{ id: string; publicKey: Buffer | null; now: EpochMs }>()((db, p) =>
  db
    .updateTable('machines')
    .set((eb) => ({ public_key: p.publicKey, updated_at: p.now, version: next(eb) }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('deleted_at', 'is', null),
);

const SET_ALIVE = statement<{ id: string; alive: number; was: number; now: EpochMs }>()((db, p) =>
  db
    .updateTable('machines')
    .set((eb) => ({ alive: p.alive, updated_at: p.now, version: next(eb) }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('alive', '=', p.was)
    .where('deleted_at', 'is', null),
);

const BEAT = statement<{ id: string; at: EpochMs; due: EpochMs | null }>()((db, p) =>
  db
    .updateTable('machine_usage')
    .set({ last_heartbeat_at: p.at, heartbeat_due: p.due })
    .where('realm_id', '=', p.realm)
    .where('machine_id', '=', p.id)
    // Written behind, it may come after the machine was removed: of that one nothing is waited for any more.
    .where('machine_id', 'in', (eb) =>
      eb
        .selectFrom('machines')
        .select('id')
        .where('realm_id', '=', p.realm)
        .where('id', '=', p.id)
        .where('deleted_at', 'is', null),
    ),
);

const VALIDATED = statement<{ id: string; at: EpochMs }>()((db, p) =>
  db
    .updateTable('machine_usage')
    .set({ last_validated_at: p.at })
    .where('realm_id', '=', p.realm)
    .where('machine_id', '=', p.id),
);

const CHECKED_OUT = statement<{ id: string; at: EpochMs }>()((db, p) =>
  db
    .updateTable('machine_usage')
    .set({ last_checked_out_at: p.at })
    .where('realm_id', '=', p.realm)
    .where('machine_id', '=', p.id),
);

const NEWEST_FILE = statement<{ licenseId: string; hash: Buffer }>()((db, p) =>
  db
    .selectFrom('issued_files')
    .select('expires_at as expiresAt')
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('fingerprint_hash', '=', p.hash)
    .orderBy('expires_at', 'desc')
    .limit(1),
);

function next(eb: ExpressionBuilder<Schema, 'machines'>) {
  return eb('version', '+', 1);
}

/** The living machine with this id. */
export function findMachine(reader: RealmReader, id: string): MachineSnapshot | undefined {
  return reader.get(ONE, { id });
}

/** The living machine of a licence with this fingerprint, by its digests under every live index key. */
export function findMachineByFingerprint(
  reader: RealmReader,
  licenseId: string,
  digests: readonly { readonly digest: Buffer }[],
): MachineSnapshot | undefined {
  for (const { digest } of digests) {
    const found = reader.get(BY_FINGERPRINT, { licenseId, hash: digest });
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The oldest living machines of a licence, at most `limit`. */
export function machinesOfLicense(reader: RealmReader, licenseId: string, limit: number): MachineSnapshot[] {
  return reader.all(OF_LICENSE, { licenseId, limit });
}

/** Stores a machine. Its seat was claimed in the same unit. */
export function insertMachine(
  tx: RealmTx,
  machine: NewMachine,
  at: { readonly now: EpochMs; readonly heartbeatDue: EpochMs | null },
): void {
  tx.run(INSERT, { ...machine, now: at.now });
  tx.run(INSERT_USAGE, { id: machine.id, licenseId: machine.licenseId, heartbeatDue: at.heartbeatDue });
}

/** Ends a machine's life, by itself or with its licence; its seat stays taken until `heldUntil` when that is given. False: it was gone already. */
export function removeMachine(
  tx: RealmTx,
  id: string,
  at: { readonly now: EpochMs; readonly heldUntil: EpochMs | null; readonly withLicense: boolean },
): boolean {
  if (tx.run(REMOVE, { id, ...at, withLicense: at.withLicense ? 1 : null }).changes === 0) return false;
  setComponentsLiving(tx, { id, living: false });
  return true;
}

/** Stores an edit made on `version`; false when the machine has changed or gone since. */
export function editMachine(
  tx: RealmTx,
  edit: MachineEdit & { readonly id: string; readonly version: number },
  now: EpochMs,
): boolean {
  return tx.run(EDIT, { ...edit, now }).changes === 1;
}

/** Gives a machine another key, or none. */
export function storeMachineKey(
  tx: RealmTx,
  machine: { readonly id: string; readonly publicKey: Buffer | null },
  now: EpochMs,
): boolean {
  return tx.run(REKEY, { ...machine, now }).changes === 1;
}

/** Turns a living machine dead or back; false when it was so already, or is gone. */
export function storeAlive(
  tx: RealmTx,
  machine: { readonly id: string; readonly alive: boolean },
  now: EpochMs,
): boolean {
  const alive = Number(machine.alive);
  if (tx.run(SET_ALIVE, { id: machine.id, alive, was: 1 - alive, now }).changes === 0) return false;
  countDeadMachine(tx, { dead: !machine.alive });
  return true;
}

/** Books a heartbeat, and when the next one is due (null: none is asked for). */
export function bookHeartbeat(
  tx: RealmTx,
  id: string,
  beat: { readonly at: EpochMs; readonly due: EpochMs | null },
): void {
  tx.run(BEAT, { id, ...beat });
}

/** Books when a machine was last validated. */
export function bookMachineValidation(tx: RealmTx, id: string, at: EpochMs): void {
  tx.run(VALIDATED, { id, at });
}

/** Books when a file was last issued for a machine. */
export function bookMachineCheckout(tx: RealmTx, id: string, at: EpochMs): void {
  tx.run(CHECKED_OUT, { id, at });
}

/**
 * When the newest file that runs on a machine expires; undefined when it was never given one. Files count by the
 * fingerprint they are bound to: a machine that was removed and came back is another row, and still holds its old files,
 * which have the digest of another index key when that was rotated in between.
 */
export function newestFileExpiry(
  reader: RealmReader,
  licenseId: string,
  digests: readonly { readonly digest: Buffer }[],
): EpochMs | undefined {
  const expiries = digests.flatMap(({ digest }) => {
    const newest = reader.get(NEWEST_FILE, { licenseId, hash: digest });
    return newest === undefined ? [] : [newest.expiresAt];
  });
  return expiries.length === 0 ? undefined : Math.max(...expiries);
}
