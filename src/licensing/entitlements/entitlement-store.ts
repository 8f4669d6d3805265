import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';
import type { NounPage } from '../schema.ts';
import type { Entitlement } from './entitlement.ts';

const COLUMNS = [
  'seq',
  'id',
  'code',
  'name',
  'metadata',
  'version',
  'created_at as createdAt',
  'updated_at as updatedAt',
  'deleted_at as deletedAt',
] as const;

const ONE = statement<{ id: string }>()((db, p) =>
  db
    .selectFrom('entitlements')
    .select(COLUMNS)
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('deleted_at', 'is', null),
);

const DELETED = statement<{ id: string }>()((db, p) =>
  db
    .selectFrom('entitlements')
    .select(COLUMNS)
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('deleted_at', 'is not', null),
);

const LIVING_CODE = statement<{ code: string }>()((db, p) =>
  db
    .selectFrom('entitlements')
    .select('id')
    .where('realm_id', '=', p.realm)
    .where('code', '=', p.code)
    .where('deleted_at', 'is', null),
);

const RESTORE = statement<{ id: string; relied: number; now: number }>()((db, p) =>
  db
    .updateTable('entitlements')
    .set((eb) => ({ deleted_at: null, updated_at: p.now, version: eb('version', '+', 1) }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('version', '=', p.relied)
    .where('deleted_at', 'is not', null),
);

const INSERT = statement<NewEntitlement>()((db, p) =>
  db
    .insertInto('entitlements')
    .values({
      realm_id: p.realm,
      id: p.id,
      code: p.code,
      name: p.name,
      metadata: p.metadata,
      created_at: p.createdAt,
      updated_at: p.updatedAt,
    })
    .onConflict((conflict) => conflict.doNothing()),
);

const UPDATE = statement<Edited & { relied: number }>()((db, p) =>
  db
    .updateTable('entitlements')
    .set((eb) => ({
      name: p.name,
      metadata: p.metadata,
      updated_at: p.updatedAt,
      version: eb('version', '+', 1),
    }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('version', '=', p.relied)
    .where('deleted_at', 'is', null),
);

const DELETE = statement<{ id: string; relied: number; now: number }>()((db, p) =>
  db
    .updateTable('entitlements')
    .set((eb) => ({ deleted_at: p.now, updated_at: p.now, version: eb('version', '+', 1) }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('version', '=', p.relied)
    .where('deleted_at', 'is', null),
);

const ONE_POLICY = statement<{ id: string }>()((db, p) =>
  db
    .selectFrom('policy_entitlements as e')
    .innerJoin('policies as pol', (join) =>
      join.onRef('pol.realm_id', '=', 'e.realm_id').onRef('pol.id', '=', 'e.policy_id'),
    )
    .select('pol.id')
    .where('e.realm_id', '=', p.realm)
    .where('e.entitlement_id', '=', p.id)
    .where('pol.deleted_at', 'is', null)
    .limit(1),
);

const ONE_LICENSE = statement<{ id: string }>()((db, p) =>
  db
    .selectFrom('license_entitlements as e')
    .innerJoin('licenses as l', (join) =>
      join.onRef('l.realm_id', '=', 'e.realm_id').onRef('l.id', '=', 'e.license_id'),
    )
    .select('l.id')
    .where('e.realm_id', '=', p.realm)
    .where('e.entitlement_id', '=', p.id)
    .where('l.deleted_at', 'is', null)
    .limit(1),
);

/** A new entitlement as stored. */
export type NewEntitlement = Omit<Entitlement, 'seq' | 'version' | 'deletedAt'>;

/** What a PATCH may change, and which row. */
export type Edited = Pick<Entitlement, 'id' | 'name' | 'metadata' | 'updatedAt'>;

/** The living entitlement with this id. */
export function findEntitlement(reader: RealmReader, id: string): Entitlement | undefined {
  return reader.get(ONE, { id });
}

/** Entitlements in order of creation. */
export function pageOfEntitlements(reader: RealmReader, page: NounPage): Entitlement[] {
  const { descending, after, limit, deleted = false } = page;
  return reader.find((db, p) =>
    db
      .selectFrom('entitlements')
      .select(COLUMNS)
      .where('realm_id', '=', p.realm)
      .where('deleted_at', deleted ? 'is not' : 'is', null)
      .where('seq', descending ? '<' : '>', after)
      .orderBy('seq', descending ? 'desc' : 'asc')
      .limit(limit),
  );
}

/** The entitlement with this id that is deleted and not purged. */
export function findDeletedEntitlement(reader: RealmReader, id: string): Entitlement | undefined {
  return reader.get(DELETED, { id });
}

/** Whether a living entitlement has this code. */
export function entitlementCodeInUse(reader: RealmReader, code: string): boolean {
  return reader.get(LIVING_CODE, { code }) !== undefined;
}

/** Brings a deleted entitlement back while it has the version relied on. False: it has another, or is gone. */
export function restoreEntitlementRow(tx: RealmTx, at: { id: string; relied: number; now: number }): boolean {
  return tx.run(RESTORE, at).changes === 1;
}

/** Stores a new entitlement. False: the realm has a living entitlement with this code. */
export function insertEntitlement(tx: RealmTx, entitlement: NewEntitlement): boolean {
  return tx.run(INSERT, entitlement).changes === 1;
}

/** Changes the entitlement while it has the version relied on. False: it has another, or is gone. */
export function updateEntitlement(tx: RealmTx, edited: Edited, relied: number): boolean {
  return tx.run(UPDATE, { ...edited, relied }).changes === 1;
}

/** Deletes the entitlement (softly) while it has the version relied on. False: it has another, or is gone. */
export function deleteEntitlement(tx: RealmTx, at: { id: string; relied: number; now: number }): boolean {
  return tx.run(DELETE, at).changes === 1;
}

/** What keeps an entitlement from being deleted: the kind of one living dependent, or undefined. */
export function dependentOfEntitlement(reader: RealmReader, id: string): 'policy' | 'license' | undefined {
  if (reader.get(ONE_POLICY, { id }) !== undefined) return 'policy';
  return reader.get(ONE_LICENSE, { id }) === undefined ? undefined : 'license';
}
