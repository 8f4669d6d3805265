import type { LicenseKeys, Permit } from '../../access/index.ts';
import { Fault } from '../../faults.ts';
import { realmOf } from '../caller.ts';
import type { Shown } from '../schema.ts';
import { findLicense } from './license-store.ts';
import type { LicenseView } from './license-view.ts';
import { type ReadLicenseDeps, viewerOf, viewNow } from './show.ts';

/** What looking up by key needs. */
export interface LookupDeps extends ReadLicenseDeps {
  readonly licenseKeys: Pick<LicenseKeys, 'find'>;
}

/**
 * Finds a licence of the caller's realm by its key; the key stands in the body, never in a URL.
 * @throws Fault NOT_FOUND, also when only another realm has the key
 */
export function lookupLicense(deps: LookupDeps, permit: Permit, key: string): Shown<LicenseView> {
  const realm = realmOf(permit);
  const found = deps.licenseKeys.find(key).places.find((row) => row.realm === realm);
  const reader = deps.work.read.in(realm);
  const license = found === undefined ? undefined : findLicense(reader, found.licenseId);
  if (license === undefined) throw new Fault('NOT_FOUND', 'there is no licence with this key');
  return { view: viewNow(deps, viewerOf(permit), { reader, license }), version: license.version };
}
