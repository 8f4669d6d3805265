import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Permit } from '../../access/index.ts';
import { realmOf } from '../caller.ts';
import { openLicenseKey } from '../licenses/license-sealing.ts';
import { findLicense } from '../licenses/license-store.ts';
import type { LicenseView } from '../licenses/license-view.ts';
import { type ReadLicenseDeps, viewerOf, viewNow } from '../licenses/show.ts';
import { storedBatch } from './batch-schema.ts';
import type { BatchView } from './create-batch.ts';

/** Licences read and opened in one turn of the event loop. */
const SLICE = 25;

/**
 * The answer to a repeated batch: its licences as they are now, each key from its sealed copy. A licence that was deleted
 * since is left out; `count` says how many there were.
 * @param stored what was kept: the ids
 */
export async function rereadBatch(
  deps: ReadLicenseDeps,
  permit: Permit,
  stored: unknown,
): Promise<BatchView> {
  const { id, licenseIds } = storedBatch.parse(stored).data;
  const licenses: LicenseView[] = [];
  for (let at = 0; at < licenseIds.length; at += SLICE) {
    licenses.push(...readSlice(deps, permit, licenseIds.slice(at, at + SLICE)));
    await nextTurn();
  }
  return { id, count: licenseIds.length, licenses };
}

function readSlice(deps: ReadLicenseDeps, permit: Permit, ids: readonly string[]): LicenseView[] {
  const realm = realmOf(permit);
  const reader = deps.work.read.in(realm);
  return ids.flatMap((id) => {
    const license = findLicense(reader, id);
    if (license === undefined) return [];
    const view = viewNow(deps, viewerOf(permit), { reader, license });
    return [{ ...view, key: openLicenseKey(deps, realm, license) }];
  });
}
