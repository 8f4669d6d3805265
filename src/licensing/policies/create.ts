import { type Permit, refuseFull, tenantRoom } from '../../access/index.ts';
import type { Sealer } from '../../custody/sealer.ts';
import { append } from '../../ledger/append.ts';
import type { EpochMs } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { newId } from '../../lib/ulid.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { refuseCardData, sealMetadata } from '../metadata.ts';
import { notFound, type Outcome, refusal, settle } from '../refusal.ts';
import type { PolicyInput } from './policy-schema.ts';
import { checkPolicyOverrides, policyOverridesOf, TEMPLATES_VERSION } from './policy-settings.ts';
import { insertPolicy, productLives } from './policy-store.ts';
import { type Policy, policyDecides, policyView, type PolicyView } from './policy.ts';

/** What creating a policy needs. */
export interface CreatePolicyDeps {
  readonly work: UnitOfWork;
  readonly sealer: Sealer;
  readonly random: Random;
  /** Trusted time. */
  readonly time: { now(): EpochMs };
}

type NewPolicy = Omit<Policy, 'seq'>;

/**
 * Creates a policy of a product.
 * @throws Fault VALIDATION_FAILED, NOT_FOUND (product), CONFLICT (code), CARD_DATA_REFUSED, TENANT_LIMIT
 */
export async function createPolicy(
  deps: CreatePolicyDeps,
  permit: Permit,
  request: PolicyInput,
): Promise<PolicyView> {
  const realm = realmOf(permit);
  refuseCardData({ name: request.name, metadata: request.metadata });
  const policy = newPolicy(deps, realm, request);
  const view = policyView(policy, request.metadata ?? {}, []);
  return settle('the policy', () =>
    deps.work.run(permit, (tx): Outcome<PolicyView> => {
      const refused = insert(tx, realm, policy);
      if (refused !== null) return refused;
      permit.remember(tx, view);
      return { done: view };
    }),
  );
}

function insert(tx: Tx, realm: RealmId, policy: NewPolicy): Outcome<never> | null {
  const full = refuseFull(tenantRoom(tx.in(realm)));
  if (full !== null) return full;
  if (!productLives(tx.in(realm), policy.productId)) {
    return { refused: notFound('product', policy.productId) };
  }
  if (!insertPolicy(tx.in(realm), policy)) {
    return refusal('CONFLICT', `code ${policy.code} is in use by another policy`);
  }
  const target = { kind: 'policy', id: policy.id };
  append(tx, { action: 'policy.created', target, after: policyDecides(policy) });
  return null;
}

function newPolicy(deps: CreatePolicyDeps, realm: RealmId, request: PolicyInput): NewPolicy {
  const basis = { template: request.template ?? null, templateVersion: TEMPLATES_VERSION };
  const stated = policyOverridesOf(request);
  checkPolicyOverrides(basis, stated, request.allowUnlimitedActivations ?? false);
  const now = deps.time.now();
  const id = newId('policy', now, deps.random);
  const code = request.code ?? defaultCode(basis.template, id);
  return {
    id,
    productId: request.productId,
    name: request.name ?? code,
    code,
    ...basis,
    settings: JSON.stringify(stated),
    metadata: sealMetadata(deps.sealer, { realm, table: 'policies', row: id }, request.metadata ?? {}),
    version: 1,
    createdAt: now,
    updatedAt: now,
    deletedAt: null,
  };
}

/** Random characters of an id that tell two policies without a code apart: 40 bits. */
const TAIL = 8;

/** `desktop_app-7k2m9q4z`: short enough for a signed key, and unlikely to be taken. */
function defaultCode(template: string | null, id: string): string {
  return `${template ?? 'policy'}-${id.slice(-TAIL).toLowerCase()}`;
}
