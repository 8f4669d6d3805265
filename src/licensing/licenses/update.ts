import { isDeepStrictEqual } from 'node:util';
import { type Permit, saysTheSame } from '../../access/index.ts';
import type { Outbox } from '../../delivery/outbox.ts';
import { append } from '../../ledger/append.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { type Metadata, refuseCardData } from '../metadata.ts';
import { notFound, requireVersion, settle, STALE } from '../refusal.ts';
import type { Guarded, Shown } from '../schema.ts';
import { keysInUse } from '../products/metadata-key-store.ts';
import { rewriteMetadata } from './license-metadata-store.ts';
import { indexedValues } from './license-metadata.ts';
import type { LicensePatch } from './license-schema.ts';
import { emailIndex, openPersonal, sealPersonal } from './license-sealing.ts';
import { findLicense } from './license-store.ts';
import { licenseDecides, licenseEvent, licenseView, type LicenseView } from './license-view.ts';
import { updateLicense as store } from './license-write-store.ts';
import type { LicensePersonal, LicenseSnapshot } from './license.ts';
import { refuseOverrides } from './prepare.ts';
import { facetsNow, type ReadLicenseDeps, viewerOf } from './show.ts';

/** What changing licences needs. */
export interface UpdateLicenseDeps extends ReadLicenseDeps {
  readonly work: UnitOfWork;
  readonly outbox: Outbox;
}

/** Which licence, which versions of it the caller accepts, and what to change. */
export interface UpdateLicense extends Guarded {
  readonly id: string;
  readonly change: LicensePatch;
}

/**
 * Changes what describes a licence and its own limits; members that are absent stay, null clears.
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED, VALIDATION_FAILED, CONFLICT, CARD_DATA_REFUSED
 */
export async function updateLicense(
  deps: UpdateLicenseDeps,
  permit: Permit,
  request: UpdateLicense,
): Promise<Shown<LicenseView>> {
  const realm = realmOf(permit);
  const { id, change } = request;
  refuseCardData(change);
  return settle(`licence ${id}`, async () => {
    const reader = deps.work.read.in(realm);
    const license = findLicense(reader, id);
    if (license === undefined) throw notFound('licence', id);
    requireVersion(`licence ${id}`, license.version, request.versions);
    const changed = changedLicense(deps, permit, { reader, license, change });
    if (saysTheSame(license, changed.after)) {
      return { done: { view: licenseView(license, changed.facets), version: license.version } };
    }
    return deps.work.run(permit, (tx) => {
      if (!store(tx.in(realm), changed.stored, license.version)) return STALE;
      if (change.metadata !== undefined)
        indexAnew(deps, tx.in(realm), { realm, license, metadata: change.metadata });
      const { after, facets } = changed;
      const target = { kind: 'license', id };
      append(tx, {
        action: 'license.updated',
        target,
        before: licenseDecides(license),
        after: licenseDecides(after),
      });
      deps.outbox.emit(tx, { type: 'license.updated', realm, data: licenseEvent(after, facets) });
      const shown = { view: licenseView(after, facets), version: after.version };
      permit.remember(tx, shown);
      return { done: shown };
    });
  });
}

function changedLicense(
  deps: UpdateLicenseDeps,
  permit: Permit,
  given: { readonly reader: RealmReader; readonly license: LicenseSnapshot; readonly change: LicensePatch },
) {
  const realm = realmOf(permit);
  const { reader, license, change } = given;
  const policy = deps.policies.get(reader, { realm, id: license.policyId, version: license.policyVersion });
  refuseOverrides(policy, change);
  const was = openPersonal(deps.sealer, realm, license);
  const personal = changedPersonal(was, change);
  const { userEmail } = personal;
  const after: LicenseSnapshot = {
    ...license,
    maxMachinesOverride: pick(change.maxMachinesOverride, license.maxMachinesOverride),
    maxUsesOverride: pick(change.maxUsesOverride, license.maxUsesOverride),
    personal: isDeepStrictEqual(was, personal)
      ? license.personal
      : sealPersonal(deps.sealer, { realm, id: license.id }, personal),
    version: license.version + 1,
    updatedAt: deps.time.now(),
  };
  const index = userEmail === null ? null : emailIndex(deps.indexer, realm, userEmail);
  const facets = { ...facetsNow(deps, viewerOf(permit), { reader, license }), personal };
  return { after, facets, stored: { ...after, emailIndex: index } };
}

/** By the keys that are indexed when the unit runs, whatever they were when it was prepared. */
function indexAnew(
  deps: UpdateLicenseDeps,
  rows: RealmTx,
  given: { readonly realm: RealmId; readonly license: LicenseSnapshot; readonly metadata: Metadata },
): void {
  const { realm, license, metadata } = given;
  const names = keysInUse(rows, license.productId);
  if (names.length === 0) return;
  rewriteMetadata(rows, license.id, indexedValues(deps.indexer, realm, { names, metadata }));
}

function changedPersonal(before: LicensePersonal, change: LicensePatch): LicensePersonal {
  return {
    name: pick(change.name, before.name),
    userEmail: pick(change.userEmail, before.userEmail),
    userName: pick(change.userName, before.userName),
    metadata: change.metadata ?? before.metadata,
  };
}

/** Absent stays, null clears. */
function pick<T>(wanted: T | null | undefined, before: T | null): T | null {
  return wanted === undefined ? before : wanted;
}
