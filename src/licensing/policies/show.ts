import type { Permit } from '../../access/index.ts';
import type { Sealer } from '../../custody/sealer.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmReader } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { openMetadata } from '../metadata.ts';
import { productsOf } from '../product-limit.ts';
import { notFound } from '../refusal.ts';
import type { Shown } from '../schema.ts';
import { entitlementsOfPolicies, findPolicy, pageOfPolicies, type PolicyPage } from './policy-store.ts';
import { type EntitlementRef, type Policy, policyView, type PolicyView } from './policy.ts';

/** What reading policies needs. */
export interface ReadPolicyDeps {
  readonly work: Pick<UnitOfWork, 'read'>;
  readonly sealer: Sealer;
}

/**
 * One policy with its version.
 * @throws Fault NOT_FOUND
 */
export function showPolicy(deps: ReadPolicyDeps, permit: Permit, id: string): Shown<PolicyView> {
  const realm = realmOf(permit);
  return showPolicyNow(deps, deps.work.read.in(realm), { realm, id });
}

/** The same as a reader sees it: inside a unit, as the unit has made it. @throws Fault NOT_FOUND */
export function showPolicyNow(
  deps: Pick<ReadPolicyDeps, 'sealer'>,
  reader: RealmReader,
  { realm, id }: { readonly realm: RealmId; readonly id: string },
): Shown<PolicyView> {
  const policy = findPolicy(reader, id);
  if (policy === undefined) throw notFound('policy', id);
  const entitlements = entitlementsOfPolicies(reader, [id]).get(id) ?? [];
  return { view: viewOf(deps, realm, { policy, entitlements }), version: policy.version };
}

/** Policies in order of creation, each with its sort key; two statements, however many there are. */
export function listPolicies(
  deps: ReadPolicyDeps,
  permit: Permit,
  page: PolicyPage,
): { readonly seq: number; readonly view: PolicyView }[] {
  const realm = realmOf(permit);
  const reader = deps.work.read.in(realm);
  const products = page.productId === undefined ? productsOf(permit) : [page.productId];
  const policies = pageOfPolicies(reader, page, products);
  const attached = entitlementsOfPolicies(
    reader,
    policies.map(({ id }) => id),
  );
  return policies.map((policy) => {
    const entitlements = attached.get(policy.id) ?? [];
    return { seq: policy.seq, view: viewOf(deps, realm, { policy, entitlements }) };
  });
}

function viewOf(
  deps: Pick<ReadPolicyDeps, 'sealer'>,
  realm: RealmId,
  shown: { readonly policy: Policy; readonly entitlements: readonly EntitlementRef[] },
): PolicyView {
  const { policy, entitlements } = shown;
  const cell = { realm, table: 'policies', row: policy.id };
  return policyView(policy, openMetadata(deps.sealer, cell, policy.metadata), entitlements);
}
