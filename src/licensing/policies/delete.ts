import type { Permit } from '../../access/index.ts';
import { append } from '../../ledger/append.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { notFound, type Outcome, refusal, requireVersion, settle, STALE } from '../refusal.ts';
import type { Guarded } from '../schema.ts';
import type { PolicyCache } from './policy-cache.ts';
import { deletePolicy as store, findPolicy, policyIsFollowed } from './policy-store.ts';
import { type Policy, policyDecides } from './policy.ts';

/** Which policy, and which versions of it the caller accepts. */
export interface DeletePolicy extends Guarded {
  readonly id: string;
}

/**
 * Deletes a policy that no living licence follows; its code is free again. It keeps its entitlements, for as long as it
 * can be restored.
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED, HAS_DEPENDENTS, CONFLICT
 */
export async function deletePolicy(
  deps: { readonly work: UnitOfWork; readonly policies: Pick<PolicyCache, 'forget'> },
  permit: Permit,
  request: DeletePolicy,
): Promise<void> {
  const realm = realmOf(permit);
  await settle(`policy ${request.id}`, async () => {
    const policy = findPolicy(deps.work.read.in(realm), request.id);
    if (policy === undefined) throw notFound('policy', request.id);
    requireVersion(`policy ${request.id}`, policy.version, request.versions);
    return deps.work.run(permit, (tx) => {
      tx.afterCommit(() => deps.policies.forget(realm, policy.id));
      return remove(tx, realm, policy);
    });
  });
}

function remove(tx: Tx, realm: RealmId, policy: Policy): Outcome<null> {
  const { id, version: relied } = policy;
  if (policyIsFollowed(tx.in(realm), id)) {
    return refusal(
      'HAS_DEPENDENTS',
      `policy ${id} still has a living license; delete or transfer that first`,
    );
  }
  if (!store(tx.in(realm), { id, relied, now: tx.now })) return STALE;
  const target = { kind: 'policy', id };
  append(tx, {
    action: 'policy.deleted',
    target,
    before: policyDecides(policy),
    after: policyDecides(policy, tx.now),
  });
  return { done: null };
}
