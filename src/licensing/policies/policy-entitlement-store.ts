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

/** Detaches everything from a policy that is being deleted. */
export function detachAllFromPolicy(tx: RealmTx, policyId: string): void {
  tx.run(DETACH_ALL, { policyId });
}
