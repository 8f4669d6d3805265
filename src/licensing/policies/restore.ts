import type { Permit } from '../../access/index.ts';
import { append, NO_ROW } from '../../ledger/append.ts';
import type { RealmTx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { notFound, type Refusal, refusal, requireVersion, settle, STALE } from '../refusal.ts';
import type { Guarded, Shown } from '../schema.ts';
import { detachDeletedFromPolicy, policyLink } from './policy-entitlement-store.ts';
import { findDeletedPolicy, policyCodeInUse, productLives, restorePolicyRow } from './policy-store.ts';
import { type Policy, policyDecides, type PolicyView } from './policy.ts';
import { type ReadPolicyDeps, showPolicyNow } from './show.ts';

/** What restoring a policy needs. */
export interface RestorePolicyDeps extends ReadPolicyDeps {
  readonly work: UnitOfWork;
}

/**
 * Brings back a policy that was deleted and is not purged yet, with those of its entitlements that still live.
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED; CONFLICT when its product is deleted, or another policy has its code
 */
export async function restorePolicy(
  deps: RestorePolicyDeps,
  permit: Permit,
  request: Guarded & { readonly id: string },
): Promise<Shown<PolicyView>> {
  const realm = realmOf(permit);
  const { id } = request;
  return settle(`policy ${id}`, () =>
    deps.work.run(permit, (tx) => {
      const rows = tx.in(realm);
      const policy = findDeletedPolicy(rows, id);
      if (policy === undefined) throw notFound('deleted policy', id);
      requireVersion(`policy ${id}`, policy.version, request.versions);
      const refused = obstacle(rows, policy);
      if (refused !== null) return refused;
      if (!restorePolicyRow(rows, { id, relied: policy.version, now: tx.now })) return STALE;
      for (const entitlementId of detachDeletedFromPolicy(rows, id)) {
        const { target } = policyLink({ policyId: id, entitlementId });
        append(tx, { action: 'policy.disentitled', target, about: [id], after: NO_ROW });
      }
      const [before, after] = [policyDecides(policy, policy.deletedAt), policyDecides(policy)];
      append(tx, { action: 'policy.restored', target: { kind: 'policy', id }, before, after });
      const shown = showPolicyNow(deps, rows, { realm, id });
      permit.remember(tx, shown);
      return { done: shown };
    }),
  );
}

/** What stands in the way; null: nothing. */
function obstacle(rows: RealmTx, { id, productId, code }: Policy): Refusal | null {
  if (!productLives(rows, productId)) {
    return refusal('CONFLICT', `policy ${id} cannot come back: restore its product ${productId} first`);
  }
  if (!policyCodeInUse(rows, code)) return null;
  return refusal('CONFLICT', `policy ${id} cannot come back: code ${code} is in use by another policy`);
}
