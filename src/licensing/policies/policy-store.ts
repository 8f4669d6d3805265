import { invariant } from '../../lib/invariant.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';
import type { NounPage } from '../schema.ts';
import { POLICY_TEMPLATES, type PolicyTemplate } from './policy-settings.ts';
import type { EntitlementRef, Policy } from './policy.ts';

const COLUMNS = [
  'seq',
  'id',
  'product_id as productId',
  'name',
  'code',
  'template',
  'template_version as templateVersion',
  'settings',
  'metadata',
  'version',
  'created_at as createdAt',
  'updated_at as updatedAt',
  'deleted_at as deletedAt',
] as const;

const ONE = statement<{ id: string }>()((db, p) =>
  db
    .selectFrom('policies')
    .select(COLUMNS)
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('deleted_at', 'is', null),
);

const LIVING_PRODUCT = statement<{ id: string }>()((db, p) =>
  db
    .selectFrom('products')
    .select('id')
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('deleted_at', 'is', null),
);

const DELETED = statement<{ id: string }>()((db, p) =>
  db
    .selectFrom('policies')
    .select(COLUMNS)
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('deleted_at', 'is not', null),
);

const LIVING_CODE = statement<{ code: string }>()((db, p) =>
  db
    .selectFrom('policies')
    .select('id')
    .where('realm_id', '=', p.realm)
    .where('code', '=', p.code)
    .where('deleted_at', 'is', null),
);

const RESTORE = statement<{ id: string; relied: number; now: number }>()((db, p) =>
  db
    .updateTable('policies')
    .set((eb) => ({ deleted_at: null, updated_at: p.now, version: eb('version', '+', 1) }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('version', '=', p.relied)
    .where('deleted_at', 'is not', null),
);

const INSERT = statement<NewPolicy>()((db, p) =>
  db
    .insertInto('policies')
    .values({
      realm_id: p.realm,
      id: p.id,
      product_id: p.productId,
      name: p.name,
      code: p.code,
      template: p.template,
      template_version: p.templateVersion,
      settings: p.settings,
      metadata: p.metadata,
      created_at: p.createdAt,
      updated_at: p.updatedAt,
    })
    .onConflict((conflict) => conflict.doNothing()),
);

const UPDATE = statement<EditedPolicy & { relied: number }>()((db, p) =>
  db
    .updateTable('policies')
    .set((eb) => ({
      name: p.name,
      settings: p.settings,
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
    .updateTable('policies')
    .set((eb) => ({ deleted_at: p.now, updated_at: p.now, version: eb('version', '+', 1) }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('version', '=', p.relied)
    .where('deleted_at', 'is', null),
);

const ONE_LICENSE = statement<{ id: string }>()((db, p) =>
  db
    .selectFrom('licenses')
    .select('id')
    .where('realm_id', '=', p.realm)
    .where('policy_id', '=', p.id)
    .where('deleted_at', 'is', null)
    .limit(1),
);

/** A new policy as stored. */
export type NewPolicy = Omit<Policy, 'seq' | 'version' | 'deletedAt'>;

/** What a PATCH may change, and which row. */
export type EditedPolicy = Pick<Policy, 'id' | 'name' | 'settings' | 'metadata' | 'updatedAt'>;

/** Which part of a list of policies: of one product when it is given. */
export interface PolicyPage extends NounPage {
  readonly productId?: string | undefined;
}

/** The living policy with this id. */
export function findPolicy(reader: RealmReader, id: string): Policy | undefined {
  const row = reader.get(ONE, { id });
  return row === undefined ? undefined : policyOf(row);
}

/** The living policies with these ids, in one statement. */
export function findPolicies(reader: RealmReader, ids: readonly string[]): Policy[] {
  if (ids.length === 0) return [];
  const rows = reader.find((db, p) =>
    db
      .selectFrom('policies')
      .select(COLUMNS)
      .where('realm_id', '=', p.realm)
      .where('id', 'in', ids)
      .where('deleted_at', 'is', null),
  );
  return rows.map(policyOf);
}

/** Policies in order of creation, of these products (null: of all); a realm has so few that one index serves both. */
export function pageOfPolicies(
  reader: RealmReader,
  page: NounPage,
  products: readonly string[] | null,
): Policy[] {
  const { descending, after, limit, deleted = false } = page;
  const rows = reader.find((db, p) => {
    const all = db
      .selectFrom('policies')
      .select(COLUMNS)
      .where('realm_id', '=', p.realm)
      .where('deleted_at', deleted ? 'is not' : 'is', null)
      .where('seq', descending ? '<' : '>', after);
    const some = products === null ? all : all.where('product_id', 'in', products);
    return some.orderBy('seq', descending ? 'desc' : 'asc').limit(limit);
  });
  return rows.map(policyOf);
}

/** The entitlements of several policies, in one statement. */
export function entitlementsOfPolicies(
  reader: RealmReader,
  policyIds: readonly string[],
): ReadonlyMap<string, EntitlementRef[]> {
  const found = new Map<string, EntitlementRef[]>();
  if (policyIds.length === 0) return found;
  const rows = reader.find((db, p) =>
    db
      .selectFrom('policy_entitlements as pe')
      .innerJoin('entitlements as e', (join) =>
        join.onRef('e.realm_id', '=', 'pe.realm_id').onRef('e.id', '=', 'pe.entitlement_id'),
      )
      .select(['pe.policy_id as policyId', 'e.id as id', 'e.code as code'])
      .where('pe.realm_id', '=', p.realm)
      .where('pe.policy_id', 'in', policyIds),
  );
  for (const { policyId, ...entitlement } of rows) {
    found.set(policyId, [...(found.get(policyId) ?? []), entitlement]);
  }
  return found;
}

/** Whether the product lives: a policy is only ever added to one that does. */
export function productLives(reader: RealmReader, id: string): boolean {
  return reader.get(LIVING_PRODUCT, { id }) !== undefined;
}

/** The policy with this id that is deleted and not purged. */
export function findDeletedPolicy(reader: RealmReader, id: string): Policy | undefined {
  const row = reader.get(DELETED, { id });
  return row === undefined ? undefined : policyOf(row);
}

/** Whether a living policy has this code. */
export function policyCodeInUse(reader: RealmReader, code: string): boolean {
  return reader.get(LIVING_CODE, { code }) !== undefined;
}

/** Brings a deleted policy back while it has the version relied on. False: it has another, or is gone. */
export function restorePolicyRow(tx: RealmTx, at: { id: string; relied: number; now: number }): boolean {
  return tx.run(RESTORE, at).changes === 1;
}

/** Stores a new policy. False: the realm has a living policy with this code. */
export function insertPolicy(tx: RealmTx, policy: NewPolicy): boolean {
  return tx.run(INSERT, policy).changes === 1;
}

/** Changes the policy while it has the version relied on. False: it has another, or is gone. */
export function updatePolicy(tx: RealmTx, edited: EditedPolicy, relied: number): boolean {
  return tx.run(UPDATE, { ...edited, relied }).changes === 1;
}

/** Deletes the policy (softly) while it has the version relied on. False: it has another, or is gone. */
export function deletePolicy(tx: RealmTx, at: { id: string; relied: number; now: number }): boolean {
  return tx.run(DELETE, at).changes === 1;
}

/** Whether a living licence follows this policy. */
export function policyIsFollowed(reader: RealmReader, id: string): boolean {
  return reader.get(ONE_LICENSE, { id }) !== undefined;
}

function policyOf(row: Omit<Policy, 'template'> & { template: string | null }): Policy {
  return { ...row, template: templateOf(row.template) };
}

function templateOf(stored: string | null): PolicyTemplate | null {
  const known = POLICY_TEMPLATES.find((name) => name === stored) ?? null;
  invariant(stored === null || known !== null, 'a policy is stored with a template this program knows');
  return known;
}
