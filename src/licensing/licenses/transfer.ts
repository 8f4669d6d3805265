import type { Permit } from '../../access/index.ts';
import { Fault } from '../../faults.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmReader } from '../../storage/tx.ts';
import { realmOf } from '../caller.ts';
import { machineActiveElsewhere } from '../machines/uniqueness-store.ts';
import type { CachedPolicy } from '../policies/policy-cache.ts';
import { notFound, type Refusal, refusal } from '../refusal.ts';
import type { Shown } from '../schema.ts';
import { findIssueBasis } from './license-basis-store.ts';
import type { TransferInput } from './license-schema.ts';
import type { LicenseView } from './license-view.ts';
import { refuseOverrides } from './prepare.ts';
import { newTerm } from './term.ts';
import {
  type Destination,
  type Planned,
  transition,
  type TransitionDeps,
  type TransitionRequest,
} from './transition.ts';

/**
 * Puts a licence under another policy of the same product.
 * @throws Fault NOT_FOUND (licence, policy), PRECONDITION_FAILED, CONFLICT, FINGERPRINT_TAKEN; VALIDATION_FAILED for a policy of another
 *   product, or one that does not allow the licence's own limits
 */
export async function transferLicense(
  deps: TransitionDeps,
  permit: Permit,
  request: TransitionRequest & TransferInput,
): Promise<Shown<LicenseView>> {
  const realm = realmOf(permit);
  return transition(deps, permit, {
    ...request,
    action: 'transfer',
    plan: (planned) => {
      const basis = findIssueBasis(planned.reader, request.policyId);
      if (basis === undefined) throw notFound('policy', request.policyId);
      requireAnotherOfSameProduct(planned, basis);
      const version = { realm, id: basis.policyId, version: basis.policyVersion };
      const policy = deps.policies.get(planned.reader, version);
      return { ...transferred(planned, policy, request.keepExpiry), basis };
    },
    refuse: (rows, license) => refuseShared(deps, rows, { realm, license, policyId: request.policyId }),
  });
}

/** The new policy may allow a machine once where the old one did not: none may be active under another licence then. */
function refuseShared(
  deps: TransitionDeps,
  rows: RealmReader,
  to: { readonly realm: RealmId; readonly license: Planned['license']; readonly policyId: string },
): Refusal | null {
  const { realm, license, policyId } = to;
  const basis = findIssueBasis(rows, policyId);
  if (basis === undefined) return null; // the unit finds that the policy is gone, and begins again
  const { settings } = deps.policies.get(rows, { realm, id: policyId, version: basis.policyVersion });
  const { id: licenseId, productId } = license;
  const scope = { kind: settings.fingerprintUniqueness, licenseId, policyId, productId };
  const machine = machineActiveElsewhere(rows, scope);
  if (machine === undefined) return null;
  const message = `machine ${machine} is active under another licence; policy ${policyId} allows it once`;
  return refusal('FINGERPRINT_TAKEN', message);
}

/**
 * Where a transfer leads. Pure. An expired licence that gets a new time ahead is active again.
 * @throws Fault VALIDATION_FAILED
 */
export function transferred(planned: Planned, policy: CachedPolicy, keepExpiry: boolean): Destination {
  const { license, now } = planned;
  refuseOverrides(policy, license);
  const { expiresAt, startsOn } = keepExpiry ? license : newTerm(policy.settings, now, happenedTo(license));
  const ahead = expiresAt === null || expiresAt > now;
  const status = license.status === 'expired' && ahead ? 'active' : planned.status;
  return { status, expiresAt, startsOn, policyId: policy.id };
}

/** A new term does not wait for what is behind the licence: it would never come again. */
function happenedTo(license: Planned['license']) {
  const { seats, firstActivatedAt, firstValidatedAt, lastValidatedAt } = license;
  return {
    activation: seats > 0 || firstActivatedAt !== null,
    validation: firstValidatedAt !== null || lastValidatedAt !== null,
  };
}

function requireAnotherOfSameProduct(
  { license }: Planned,
  policy: { readonly policyId: string; readonly productId: string },
): void {
  if (policy.policyId === license.policyId) {
    throw new Fault('CONFLICT', `licence ${license.id} follows policy ${policy.policyId} already`);
  }
  if (policy.productId === license.productId) return;
  const message = `policy ${policy.policyId} belongs to another product than licence ${license.id}`;
  throw new Fault('VALIDATION_FAILED', message, { errors: [{ path: 'policyId', code: 'LICENSE', message }] });
}
