import type { Permit } from '../../access/index.ts';
import type { Outbox } from '../../delivery/outbox.ts';
import { append } from '../../ledger/append.ts';
import type { Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { endMachinesOf } from '../machines/end-machine.ts';
import { notFound, type Outcome, requireVersion, settle, STALE } from '../refusal.ts';
import type { Guarded } from '../schema.ts';
import { clearMetadata } from './license-metadata-store.ts';
import { findLicense } from './license-store.ts';
import { type LicenseFacets, licenseDecides, licenseEvent } from './license-view.ts';
import { deleteLicense as store } from './license-write-store.ts';
import type { LicenseRef, LicenseSnapshot } from './license.ts';
import { facetsNow, type ReadLicenseDeps, viewerOf } from './show.ts';
import { uncountTenantLicense } from './tenant-license-store.ts';

/** What deleting licences needs. */
export interface DeleteLicenseDeps extends ReadLicenseDeps {
  readonly work: UnitOfWork;
  readonly outbox: Outbox;
}

/** Which licence, and which versions of it the caller accepts. */
export interface DeleteLicense extends Guarded {
  readonly id: string;
}

/**
 * Deletes a licence with its machines; their seats stay taken while files of them are outstanding. Its key stays reserved and validates as `NOT_FOUND`. Until it is purged it can be
 * restored.
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED, CONFLICT
 */
export async function deleteLicense(
  deps: DeleteLicenseDeps,
  permit: Permit,
  request: DeleteLicense,
): Promise<void> {
  const realm = realmOf(permit);
  const { id } = request;
  await settle(`licence ${id}`, async () => {
    const reader = deps.work.read.in(realm);
    const license = findLicense(reader, id);
    if (license === undefined) throw notFound('licence', id);
    requireVersion(`licence ${id}`, license.version, request.versions);
    const facets = facetsNow(deps, viewerOf(permit), { reader, license });
    return deps.work.run(permit, (tx) => remove(deps, tx, { ref: { realm, id }, license, facets }));
  });
}

function remove(
  deps: DeleteLicenseDeps,
  tx: Tx,
  what: { readonly ref: LicenseRef; readonly license: LicenseSnapshot; readonly facets: LicenseFacets },
): Outcome<null> {
  const { ref, license, facets } = what;
  const { realm, id } = ref;
  const rows = tx.in(realm);
  if (!store(rows, { id, relied: license.version, now: tx.now })) return STALE;
  endMachinesOf(deps, tx, ref);
  // Nothing deleted is found by its metadata; its entitlements stay attached, in case it comes back.
  clearMetadata(rows, id);
  uncountTenantLicense(rows, license.status);
  const [before, after] = [licenseDecides(license), licenseDecides(license, tx.now)];
  append(tx, { action: 'license.deleted', target: { kind: 'license', id }, before, after });
  deps.outbox.emit(tx, { type: 'license.deleted', realm, data: licenseEvent(license, facets) });
  return { done: null };
}
