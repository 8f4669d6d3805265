import type { Permit } from '../../access/index.ts';
import type { Outbox } from '../../delivery/outbox.ts';
import { append, NO_ROW } from '../../ledger/append.ts';
import { type EpochMs, isoTime } from '../../lib/clock.ts';
import { present } from '../../lib/invariant.ts';
import type { Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { notFound, type Outcome, refusal, type Refusal, settle } from '../refusal.ts';
import {
  attachmentOf,
  attachToLicense,
  detachFromLicense,
  licenseLink,
  livingEntitlements,
  touchLicense,
} from './license-entitlement-store.ts';
import { findLicense } from './license-store.ts';
import { licenseEvent } from './license-view.ts';
import type { LicenseSnapshot } from './license.ts';
import { requireFuture } from './prepare.ts';
import { facetsNow, type ReadLicenseDeps, viewerOf } from './show.ts';

/** What attaching and detaching need. */
export interface EntitleLicenseDeps extends ReadLicenseDeps {
  readonly work: UnitOfWork;
  readonly outbox: Outbox;
}

/** Which entitlement of which licence. */
export interface LicenseEntitlement {
  readonly licenseId: string;
  readonly entitlementId: string;
}

/**
 * Gives a licence an entitlement of its own, until a time or for good. Attached already: only the time changes.
 * @param request `expiresAt` ISO 8601, or null
 * @throws Fault NOT_FOUND; VALIDATION_FAILED when the time is over
 */
export async function entitleLicense(
  deps: EntitleLicenseDeps,
  permit: Permit,
  request: LicenseEntitlement & { readonly expiresAt: string | null },
): Promise<void> {
  const { expiresAt: until, ...pair } = request;
  const now = deps.time.now();
  const expiresAt = until === null ? null : requireFuture('expiresAt', Date.parse(until), now);
  await settle(`licence ${pair.licenseId}`, () =>
    deps.work.run(permit, (tx): Outcome<null> => {
      const rows = tx.in(realmOf(permit));
      const license = living(tx, permit, pair);
      if ('refused' in license) return license;
      const known = attachmentOf(rows, pair);
      if (known !== undefined && known.expiresAt === expiresAt) return { done: null };
      attachToLicense(rows, pair, expiresAt);
      return changed(deps, tx, { permit, license, pair, action: 'license.entitled', expiresAt });
    }),
  );
}

/**
 * Takes an entitlement of its own from a licence; what its policy gives stays.
 * @throws Fault NOT_FOUND, also when it is not attached
 */
export async function disentitleLicense(
  deps: EntitleLicenseDeps,
  permit: Permit,
  pair: LicenseEntitlement,
): Promise<void> {
  await settle(`licence ${pair.licenseId}`, () =>
    deps.work.run(permit, (tx): Outcome<null> => {
      const license = findLicense(tx.in(realmOf(permit)), pair.licenseId);
      if (license === undefined) return { refused: notFound('licence', pair.licenseId) };
      if (!detachFromLicense(tx.in(realmOf(permit)), pair)) {
        return refusal(
          'NOT_FOUND',
          `licence ${pair.licenseId} does not have entitlement ${pair.entitlementId}`,
        );
      }
      return changed(deps, tx, { permit, license, pair, action: 'license.disentitled', expiresAt: null });
    }),
  );
}

function living(tx: Tx, permit: Permit, pair: LicenseEntitlement): LicenseSnapshot | Refusal {
  const rows = tx.in(realmOf(permit));
  const license = findLicense(rows, pair.licenseId);
  if (license === undefined) return { refused: notFound('licence', pair.licenseId) };
  if (livingEntitlements(rows, [pair.entitlementId]).length === 0) {
    return { refused: notFound('entitlement', pair.entitlementId) };
  }
  return license;
}

function changed(
  deps: EntitleLicenseDeps,
  tx: Tx,
  what: {
    readonly permit: Permit;
    readonly license: LicenseSnapshot;
    readonly pair: LicenseEntitlement;
    readonly action: 'license.entitled' | 'license.disentitled';
    readonly expiresAt: EpochMs | null;
  },
): Outcome<null> {
  const { permit, license, pair, action, expiresAt } = what;
  const realm = realmOf(permit);
  const reader = tx.in(realm);
  touchLicense(reader, license.id, tx.now);
  const { target, columns } = licenseLink({ ...pair, expiresAt });
  append(tx, {
    ...{ action, target, about: [license.id, pair.entitlementId] },
    after: action === 'license.entitled' ? columns : NO_ROW,
    facts: { ...pair, expiresAt: expiresAt === null ? null : isoTime(expiresAt) },
  });
  const after = present(findLicense(reader, license.id), 'a licence changed in this unit is there');
  const facets = facetsNow(deps, viewerOf(permit), { reader, license: after });
  deps.outbox.emit(tx, { type: 'license.updated', realm, data: licenseEvent(after, facets) });
  return { done: null };
}
