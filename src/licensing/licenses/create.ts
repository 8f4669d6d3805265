import { countIssue, type Permit } from '../../access/index.ts';
import type { Outbox } from '../../delivery/outbox.ts';
import { Fault } from '../../faults.ts';
import { append } from '../../ledger/append.ts';
import type { EpochMs } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmTx, Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { holdsScope, realmOf } from '../caller.ts';
import type { PolicyCache } from '../policies/policy-cache.ts';
import { notFound, type Outcome, settle, STALE } from '../refusal.ts';
import { basisHolds, findIssueBasis, type IssueBasis } from './license-basis-store.ts';
import { attachToLicense, licenseLink, livingEntitlements } from './license-entitlement-store.ts';
import type { LicenseInput } from './license-schema.ts';
import { licenseDecides, licenseEvent, type LicenseView } from './license-view.ts';
import { insertLicense } from './license-write-store.ts';
import {
  entitlementsNamed,
  type LicenseGround,
  prepareLicense,
  type PrepareLicenseDeps,
  type PreparedLicense,
} from './prepare.ts';
import { claimTenantLicense } from './tenant-license-store.ts';

/** What creating licences needs. */
export interface CreateLicenseDeps extends PrepareLicenseDeps {
  readonly work: UnitOfWork;
  readonly outbox: Outbox;
  readonly policies: Pick<PolicyCache, 'get'>;
  /** Trusted time. */
  readonly time: { now(): EpochMs };
}

/**
 * Creates a licence. The answer is the only one that shows its key in full; later `reveal` does.
 *
 * 1. Read and prepare: ids, key and sealed values are fixed. Stop here: nothing happened.
 * 2. One unit compares the versions relied on, claims the tenant's limit and inserts. Stop before its commit: nothing
 *    happened. After it: the licence is there, and a client that was not answered gets the same answer by repeating.
 *
 * @throws Fault NOT_FOUND, VALIDATION_FAILED, CARD_DATA_REFUSED; CONFLICT (key in use); INSUFFICIENT_SCOPE (import);
 *   TENANT_LIMIT, ISSUE_LIMIT; SEALED
 */
export async function createLicense(
  deps: CreateLicenseDeps,
  permit: Permit,
  request: LicenseInput,
): Promise<LicenseView> {
  requireMayImport(permit, request);
  return settle(`policy ${request.policyId}`, () => {
    const prepared = prepareLicense(deps, readGround(deps, permit, request), request);
    return deps.work.run(permit, (tx): Outcome<LicenseView> => {
      const outcome = insertPrepared(tx, permit, prepared);
      if (!('done' in outcome)) return outcome;
      append(tx, createdEntry(prepared));
      appendOwn(tx, prepared);
      deps.outbox.emit(tx, createdEvent(prepared));
      permit.remember(tx, prepared.view);
      return { done: prepared.view };
    });
  });
}

/**
 * Inserts one prepared licence into an open unit: rows alone, no entry and no event, so that a batch can tell of many at
 * once.
 * @throws Fault CONFLICT (key in use), ISSUE_LIMIT: the unit is undone
 */
export function insertPrepared(tx: Tx, permit: Permit, prepared: PreparedLicense): Outcome<null> {
  const { basis, stored, own } = prepared;
  const rows = tx.in(prepared.realm);
  if (!basisHolds(rows, basis)) return STALE;
  if (
    own.length >
    livingEntitlements(
      rows,
      own.map(({ id }) => id),
    ).length
  )
    return STALE;
  const full = claimTenantLicense(rows);
  if (full !== null) return full;
  // From here on refusals are thrown: what the unit has counted and stored must go with it.
  if (!insertLicense(rows, stored)) throw new Fault('CONFLICT', 'this key is in use by another licence');
  attachOwn(rows, prepared);
  const over = countIssue(tx, permit);
  if (over !== undefined) throw over.refused;
  return { done: null };
}

/** Attaches to a licence of this unit what it carries itself. */
export function attachOwn(rows: RealmTx, { stored, own }: PreparedLicense): void {
  for (const { id: entitlementId, expiresAt } of own) {
    attachToLicense(rows, { licenseId: stored.id, entitlementId }, expiresAt);
  }
}

/** The ledger entries of what a created licence carries itself, after its own. */
export function appendOwn(tx: Tx, { realm, stored, own }: PreparedLicense): void {
  for (const { id: entitlementId, expiresAt } of own) {
    const { target, columns } = licenseLink({ licenseId: stored.id, entitlementId, expiresAt });
    append(tx, { realm, action: 'license.entitled', target, about: [entitlementId], after: columns });
  }
}

/** The ledger entry of one created licence. */
export function createdEntry(prepared: PreparedLicense) {
  const target = { kind: 'license', id: prepared.stored.id };
  return { action: 'license.created', target, after: licenseDecides(prepared.row) } as const;
}

/** The event of one created licence. */
export function createdEvent({ realm, row, facets }: PreparedLicense) {
  return { type: 'license.created', realm, data: licenseEvent(row, facets) } as const;
}

/** What a licence is prepared from, in one turn of the event loop. @throws Fault NOT_FOUND, VALIDATION_FAILED */
export function readGround(
  deps: Pick<CreateLicenseDeps, 'work' | 'policies' | 'time'>,
  permit: Permit,
  request: Pick<LicenseInput, 'productId' | 'policyId' | 'entitlementIds' | 'ownEntitlements'>,
): LicenseGround {
  const realm = realmOf(permit);
  const reader = deps.work.read.in(realm);
  const basis = findIssueBasis(reader, request.policyId);
  if (basis === undefined) throw notFound('policy', request.policyId);
  requireSameProduct(basis, request.productId);
  const policy = deps.policies.get(reader, policyVersion(realm, basis));
  const entitlements = livingEntitlements(reader, [...new Set(entitlementsNamed(request))]);
  return {
    realm,
    basis,
    policy,
    entitlements: new Map(entitlements.map((entitlement) => [entitlement.id, entitlement])),
    reveal: holdsScope(permit, 'licenses:reveal'),
    now: deps.time.now(),
  };
}

function policyVersion(realm: RealmId, basis: IssueBasis) {
  return { realm, id: basis.policyId, version: basis.policyVersion };
}

function requireSameProduct(basis: IssueBasis, productId: string): void {
  if (basis.productId === productId) return;
  const message = `policy ${basis.policyId} does not belong to product ${productId}`;
  throw new Fault('VALIDATION_FAILED', message, { errors: [{ path: 'policyId', code: 'LICENSE', message }] });
}

/**
 * An imported key may be weak, or known to others: that is a right of its own.
 * @throws Fault INSUFFICIENT_SCOPE
 */
export function requireMayImport(permit: Permit, request: LicenseInput): void {
  if (request.key === undefined || holdsScope(permit, 'licenses:import')) return;
  throw new Fault('INSUFFICIENT_SCOPE', 'a licence key of your own needs scope licenses:import');
}
