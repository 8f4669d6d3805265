import type { Permit } from '../../access/index.ts';
import type { Outbox } from '../../delivery/outbox.ts';
import { append, NO_ROW } from '../../ledger/append.ts';
import { invariant, present } from '../../lib/invariant.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmTx, Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { restoreMachines } from '../machines/restore-machines.ts';
import { leaveMachines } from '../machines/restore-store.ts';
import { findPolicy, productLives } from '../policies/policy-store.ts';
import { keysInUse } from '../products/metadata-key-store.ts';
import { notFound, type Outcome, type Refusal, refusal, requireVersion, settle } from '../refusal.ts';
import type { Guarded, Shown } from '../schema.ts';
import { type DeletedLicense, findDeletedLicense, restoreLicenseRow } from './deleted-license-store.ts';
import { detachDeletedFromLicense, licenseLink } from './license-entitlement-store.ts';
import { rewriteMetadata } from './license-metadata-store.ts';
import { indexedValues } from './license-metadata.ts';
import { openPersonal } from './license-sealing.ts';
import { findLicense } from './license-store.ts';
import { licenseDecides, licenseEvent, licenseView, type LicenseView } from './license-view.ts';
import type { LicenseSnapshot } from './license.ts';
import { facetsNow, type ReadLicenseDeps, type Viewer, viewerOf } from './show.ts';
import { claimTenantLicense, countMovedLicense } from './tenant-license-store.ts';
import { bookNotice } from './term-store.ts';
import { nextNotice } from './term.ts';

/** What restoring licences needs. */
export interface RestoreLicenseDeps extends ReadLicenseDeps {
  readonly work: UnitOfWork;
  readonly outbox: Outbox;
}

/** Which licence, which versions of it the caller accepts, and whether its machines come with it. */
export interface RestoreLicense extends Guarded {
  readonly id: string;
  readonly machines: boolean;
}

/**
 * Brings back a licence that was deleted and is not purged yet: with its key, its state, those of its entitlements that
 * still live, and the machines that went with it. All of that, or nothing.
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED; CONFLICT when its policy or product is deleted; TENANT_LIMIT,
 *   MACHINE_LIMIT_EXCEEDED, FINGERPRINT_TAKEN naming what is missing
 */
export async function restoreLicense(
  deps: RestoreLicenseDeps,
  permit: Permit,
  request: RestoreLicense,
): Promise<Shown<LicenseView>> {
  const { id } = request;
  return settle(`licence ${id}`, () =>
    deps.work.run(permit, (tx): Outcome<Shown<LicenseView>> => {
      const rows = tx.in(realmOf(permit));
      const license = findDeletedLicense(rows, id);
      if (license === undefined) throw notFound('deleted licence', id);
      requireVersion(`licence ${id}`, license.version, request.versions);
      const refused = obstacle(tx, realmOf(permit), license);
      if (refused !== null) return refused;
      const back = restoreLicenseRow(rows, { id, relied: license.version, now: tx.now });
      invariant(back, 'a licence read in this unit is there to be brought back');
      const shown = bringBack(deps, tx, { viewer: viewerOf(permit), license, machines: request.machines });
      permit.remember(tx, shown);
      return { done: shown };
    }),
  );
}

/** What stands in the way of the licence itself; null: nothing, and it is counted for its tenant. */
function obstacle(tx: Tx, realm: RealmId, { id, policyId, productId }: DeletedLicense): Refusal | null {
  const rows = tx.in(realm);
  const first = (missing: string): Refusal =>
    refusal('CONFLICT', `licence ${id} cannot come back: restore its ${missing} first`);
  if (!productLives(rows, productId)) return first(`product ${productId}`);
  if (findPolicy(rows, policyId) === undefined) return first(`policy ${policyId}`);
  return claimTenantLicense(rows);
}

function bringBack(
  deps: RestoreLicenseDeps,
  tx: Tx,
  what: { readonly viewer: Viewer; readonly license: DeletedLicense; readonly machines: boolean },
): Shown<LicenseView> {
  const { viewer, license } = what;
  const { realm } = viewer;
  const rows = tx.in(realm);
  const { id } = license;
  countMovedLicense(rows, 'active', license.status);
  for (const entitlementId of detachDeletedFromLicense(rows, id)) {
    const { target } = licenseLink({ licenseId: id, entitlementId, expiresAt: null });
    const facts = { licenseId: id, entitlementId };
    append(tx, { realm, action: 'license.disentitled', target, after: NO_ROW, facts });
  }
  indexAgain(deps, rows, { realm, license });
  // Notices that passed while it was deleted are not told any more.
  if (license.status === 'active') bookNotice(rows, id, nextNotice(license.expiresAt, tx.now));
  const machines = withMachines(deps, tx, { ...what, realm });
  const after = present(findLicense(rows, id), 'a licence restored in this unit is there');
  const [was, is] = [licenseDecides(license, license.deletedAt), licenseDecides(after)];
  const target = { kind: 'license', id };
  append(tx, { realm, action: 'license.restored', target, before: was, after: is, facts: { machines } });
  const facets = facetsNow(deps, viewer, { reader: rows, license: after });
  deps.outbox.emit(tx, { type: 'license.restored', realm, data: licenseEvent(after, facets) });
  return { view: licenseView(after, facets), version: after.version };
}

function indexAgain(
  deps: RestoreLicenseDeps,
  rows: RealmTx,
  { realm, license }: { readonly realm: RealmId; readonly license: LicenseSnapshot },
): void {
  const names = keysInUse(rows, license.productId);
  if (names.length === 0) return;
  const { metadata } = openPersonal(deps.sealer, realm, license);
  rewriteMetadata(rows, license.id, indexedValues(deps.indexer, realm, { names, metadata }));
}

/** @returns how many came back */
function withMachines(
  deps: RestoreLicenseDeps,
  tx: Tx,
  { realm, license, machines }: { realm: RealmId; license: LicenseSnapshot; machines: boolean },
): number {
  const rows = tx.in(realm);
  if (!machines) {
    leaveMachines(rows, license.id);
    return 0;
  }
  const after = present(findLicense(rows, license.id), 'a licence restored in this unit is there');
  const { policyId: id, policyVersion: version } = after;
  const { settings: policy } = deps.policies.get(rows, { realm, id, version });
  return restoreMachines(deps, tx, { realm, license: after, policy });
}
