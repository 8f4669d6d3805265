import { type Permit, saysTheSame } from '../../access/index.ts';
import type { Sealer } from '../../custody/sealer.ts';
import { append } from '../../ledger/append.ts';
import type { EpochMs } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmReader } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { bookAnew } from '../machines/book-heartbeats.ts';
import { asksEarlier } from '../machines/heartbeat-rule.ts';
import { openMetadata, refuseCardData, resealMetadata } from '../metadata.ts';
import { notFound, requireVersion, settle, STALE } from '../refusal.ts';
import type { Guarded, Shown } from '../schema.ts';
import type { PolicyCache } from './policy-cache.ts';
import type { PolicyPatch } from './policy-schema.ts';
import { checkPolicyOverrides, policyOverridesOf } from './policy-settings.ts';
import { entitlementsOfPolicies, findPolicy, updatePolicy as store } from './policy-store.ts';
import {
  type Policy,
  policyDecides,
  policyView,
  type PolicyView,
  settingsOf,
  storedOverrides,
} from './policy.ts';
import { showPolicy } from './show.ts';

/** What changing a policy needs. */
export interface UpdatePolicyDeps {
  readonly work: UnitOfWork;
  readonly sealer: Sealer;
  readonly time: { now(): EpochMs };
  readonly policies: Pick<PolicyCache, 'forget'>;
}

/** Which policy, which versions of it the caller accepts, and what to change. */
export interface UpdatePolicy extends Guarded {
  readonly id: string;
  readonly change: PolicyPatch;
}

/**
 * Changes a policy; members that are absent stay. It holds for its licences from their next validation or checkout.
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED, VALIDATION_FAILED, CONFLICT, CARD_DATA_REFUSED
 */
export async function updatePolicy(
  deps: UpdatePolicyDeps,
  permit: Permit,
  request: UpdatePolicy,
): Promise<Shown<PolicyView>> {
  const realm = realmOf(permit);
  const { id, change } = request;
  refuseCardData({ name: change.name, metadata: change.metadata });
  return settle(`policy ${id}`, async () => {
    const reader = deps.work.read.in(realm);
    const policy = findPolicy(reader, id);
    if (policy === undefined) throw notFound('policy', id);
    requireVersion(`policy ${id}`, policy.version, request.versions);
    const after = changed(deps, realm, { policy, change });
    if (saysTheSame(policy, after)) return { done: showPolicy(deps, permit, id) };
    const view = { view: viewOf(deps, realm, { policy: after, change, reader }), version: after.version };
    return deps.work.run(permit, (tx) => {
      if (!store(tx.in(realm), after, policy.version)) return STALE;
      if (asksEarlier(settingsOf(after), settingsOf(policy))) bookAnew(tx, realm);
      const target = { kind: 'policy', id };
      append(tx, {
        action: 'policy.updated',
        target,
        before: policyDecides(policy),
        after: policyDecides(after),
      });
      tx.afterCommit(() => deps.policies.forget(realm, id));
      permit.remember(tx, view);
      return { done: view };
    });
  });
}

function changed(
  deps: UpdatePolicyDeps,
  realm: RealmId,
  given: { readonly policy: Policy; readonly change: PolicyPatch },
): Policy {
  const { policy, change } = given;
  const wanted = { ...storedOverrides(policy), ...policyOverridesOf(change) };
  // Consent is asked of the request that says null, not of every later one.
  const consented = change.allowUnlimitedActivations === true || change.maxMachines !== null;
  checkPolicyOverrides(policy, wanted, consented);
  const cell = { realm, table: 'policies', row: policy.id };
  return {
    ...policy,
    name: change.name ?? policy.name,
    settings: JSON.stringify(wanted),
    metadata: resealMetadata(deps.sealer, cell, { stored: policy.metadata, metadata: change.metadata }),
    version: policy.version + 1,
    updatedAt: deps.time.now(),
  };
}

function viewOf(
  deps: UpdatePolicyDeps,
  realm: RealmId,
  given: { readonly policy: Policy; readonly change: PolicyPatch; readonly reader: RealmReader },
): PolicyView {
  const { policy, change, reader } = given;
  const cell = { realm, table: 'policies', row: policy.id };
  const metadata = change.metadata ?? openMetadata(deps.sealer, cell, policy.metadata);
  return policyView(policy, metadata, entitlementsOfPolicies(reader, [policy.id]).get(policy.id) ?? []);
}
