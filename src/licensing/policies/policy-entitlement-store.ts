import type { DecidingColumns } from '../../storage/journal.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';

interface Pair {
  readonly policyId: string;
  readonly entitlementId: string;
}

const LIVING_ENTITLEMENT = statement<{ id: string }>()((db, p) =>
  db
    .selectFrom('entitlements')
    .select('id')
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('deleted_at', 'is', null),
);

const ATTACH = statement<Pair>()((db, p) =>
  db
    .insertInto('policy_entitlements')
    .values({ realm_id: p.realm, policy_id: p.policyId, entitlement_id: p.entitlementId })
    .onConflict((conflict) => conflict.doNothing()),
);

const DETACH = statement<Pair>()((db, p) =>
  db
    .deleteFrom('policy_entitlements')
    .where('realm_id', '=', p.realm)
    .where('policy_id', '=', p.policyId)
    .where('entitlement_id', '=', p.entitlementId),
);

const DELETED_OF_POLICY = statement<{ policyId: string }>()((db, p) =>
  db
    .selectFrom('policy_entitlements as pe')
    .innerJoin('entitlements as e', (join) =>
      join.onRef('e.realm_id', '=', 'pe.realm_id').onRef('e.id', '=', 'pe.entitlement_id'),
    )
    .select('e.id as entitlementId')
    .where('pe.realm_id', '=', p.realm)
    .where('pe.policy_id', '=', p.policyId)
    .where('e.deleted_at', 'is not', null),
);

const DETACH_ALL = statement<{ policyId: string }>()((db, p) =>
  db.deleteFrom('policy_entitlements').where('realm_id', '=', p.realm).where('policy_id', '=', p.policyId),
);

/** What a policy gives has changed: whoever relies on its version prepares again. */
const TOUCH = statement<{ policyId: string; now: number }>()((db, p) =>
  db
    .updateTable('policies')
    .set((eb) => ({ updated_at: p.now, version: eb('version', '+', 1) }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.policyId),
);

/** Whether the entitlement lives: only a living one is attached. */
export function entitlementLives(reader: RealmReader, id: string): boolean {
  return reader.get(LIVING_ENTITLEMENT, { id }) !== undefined;
}

/** Attaches an entitlement to a policy and counts the edit. False: it was attached already. */
export function attachToPolicy(tx: RealmTx, pair: Pair, now: number): boolean {
  if (tx.run(ATTACH, pair).changes === 0) return false;
  tx.run(TOUCH, { policyId: pair.policyId, now });
  return true;
}

/** Detaches an entitlement from a policy and counts the edit. False: it was not attached. */
export function detachFromPolicy(tx: RealmTx, pair: Pair, now: number): boolean {
  if (tx.run(DETACH, pair).changes === 0) return false;
  tx.run(TOUCH, { policyId: pair.policyId, now });
  return true;
}

/** Detaches everything from a policy that goes for good. */
export function detachAllFromPolicy(tx: RealmTx, policyId: string): void {
  tx.run(DETACH_ALL, { policyId });
}

/** Detaches from a policy that comes back what was deleted meanwhile. @returns ids of what it no longer gives */
export function detachDeletedFromPolicy(tx: RealmTx, policyId: string): string[] {
  const gone = tx.all(DELETED_OF_POLICY, { policyId }).map(({ entitlementId }) => entitlementId);
  for (const entitlementId of gone) tx.run(DETACH, { policyId, entitlementId });
  return gone;
}

/** What the ledger's digests of an entitlement of a policy cover, and under which id it stands there. */
export function policyLink({ policyId, entitlementId }: Pair): {
  readonly target: { readonly kind: 'policy-entitlement'; readonly id: string };
  readonly columns: DecidingColumns;
} {
  const target = { kind: 'policy-entitlement', id: `${policyId}/${entitlementId}` } as const;
  return { target, columns: { policyId, entitlementId } };
}
