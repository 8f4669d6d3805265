import type { Permit } from '../../access/index.ts';
import { append, NO_ROW } from '../../ledger/append.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { notFound, type Outcome, refusal, settle } from '../refusal.ts';
import type { PolicyCache } from './policy-cache.ts';
import {
  attachToPolicy,
  detachFromPolicy,
  entitlementLives,
  policyLink,
} from './policy-entitlement-store.ts';
import { findPolicy } from './policy-store.ts';
import type { Policy } from './policy.ts';

/** What attaching and detaching need. */
export interface EntitlePolicyDeps {
  readonly work: UnitOfWork;
  readonly policies: Pick<PolicyCache, 'forget'>;
}

/** Which entitlement of which policy. */
export interface PolicyEntitlement {
  readonly policyId: string;
  readonly entitlementId: string;
}

/**
 * Gives an entitlement to every licence of a policy. Attached already: nothing changes.
 * @throws Fault NOT_FOUND
 */
export async function entitlePolicy(
  deps: EntitlePolicyDeps,
  permit: Permit,
  request: PolicyEntitlement,
): Promise<void> {
  const realm = realmOf(permit);
  await settle(`policy ${request.policyId}`, () =>
    deps.work.run(permit, (tx): Outcome<null> => {
      tx.afterCommit(() => deps.policies.forget(realm, request.policyId));
      const policy = findPolicy(tx.in(realm), request.policyId);
      if (policy === undefined) return { refused: notFound('policy', request.policyId) };
      if (!entitlementLives(tx.in(realm), request.entitlementId)) {
        return { refused: notFound('entitlement', request.entitlementId) };
      }
      if (attachToPolicy(tx.in(realm), request, tx.now)) record(tx, policy, ['policy.entitled', request]);
      return { done: null };
    }),
  );
}

/**
 * Takes an entitlement from a policy.
 * @throws Fault NOT_FOUND, also when it is not attached
 */
export async function disentitlePolicy(
  deps: EntitlePolicyDeps,
  permit: Permit,
  request: PolicyEntitlement,
): Promise<void> {
  const realm = realmOf(permit);
  await settle(`policy ${request.policyId}`, () =>
    deps.work.run(permit, (tx) => {
      tx.afterCommit(() => deps.policies.forget(realm, request.policyId));
      return detach(tx, realm, request);
    }),
  );
}

function detach(tx: Tx, realm: RealmId, request: PolicyEntitlement): Outcome<null> {
  const policy = findPolicy(tx.in(realm), request.policyId);
  if (policy === undefined) return { refused: notFound('policy', request.policyId) };
  if (!detachFromPolicy(tx.in(realm), request, tx.now)) {
    return refusal(
      'NOT_FOUND',
      `policy ${request.policyId} does not have entitlement ${request.entitlementId}`,
    );
  }
  record(tx, policy, ['policy.disentitled', request]);
  return { done: null };
}

function record(
  tx: Tx,
  policy: Policy,
  [action, { entitlementId }]: ['policy.entitled' | 'policy.disentitled', PolicyEntitlement],
): void {
  const { target, columns } = policyLink({ policyId: policy.id, entitlementId });
  append(tx, {
    ...{ action, target, about: [policy.id, entitlementId] },
    after: action === 'policy.entitled' ? columns : NO_ROW,
    facts: { policyId: policy.id, entitlementId },
  });
}
