import type { Permit } from '../../access/index.ts';
import type { Indexer, Sealer } from '../../custody/sealer.ts';
import type { EpochMs } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmReader } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { holdsScope, realmOf } from '../caller.ts';
import type { PolicyCache } from '../policies/policy-cache.ts';
import { notFound } from '../refusal.ts';
import type { Shown } from '../schema.ts';
import type { LicenseUsage } from '../validation/license-usage.ts';
import { ownEntitlementCodes } from './license-entitlement-store.ts';
import { expiringLicenses, type LicenseFilter, newestLicenses } from './license-list-store.ts';
import { emailCandidates, openLicenseKey, openPersonal } from './license-sealing.ts';
import { findLicense } from './license-store.ts';
import { type LicenseFacets, licenseView, type LicenseView } from './license-view.ts';
import type { LicenseSnapshot } from './license.ts';

/** What showing licences needs. */
export interface ReadLicenseDeps {
  readonly work: Pick<UnitOfWork, 'read'>;
  readonly sealer: Sealer;
  readonly indexer: Indexer;
  readonly policies: Pick<PolicyCache, 'get'>;
  /** Counters on their way to disk. */
  readonly licenseUsage: Pick<LicenseUsage, 'pending'>;
  /** Trusted time. */
  readonly time: { now(): EpochMs };
}

/** What a row of a list is sorted by, and how it is shown. */
export interface ListedLicense {
  readonly seq: number;
  readonly expiresAt: EpochMs | null;
  readonly view: LicenseView;
}

/** What a list is asked for, parsed. */
export interface ListLicenses extends Omit<LicenseFilter, 'emails' | 'now'> {
  readonly userEmail?: string | undefined;
  readonly limit: number;
  /** Newest first, or by expiry when only licences that expire before a time are wanted. */
  readonly order:
    | { readonly by: 'newest'; readonly before: number }
    | { readonly by: 'expiry'; readonly until: EpochMs; readonly after: readonly [EpochMs, number] };
}

/**
 * One licence with its version.
 * @throws Fault NOT_FOUND
 */
export function showLicense(deps: ReadLicenseDeps, permit: Permit, id: string): Shown<LicenseView> {
  const realm = realmOf(permit);
  const reader = deps.work.read.in(realm);
  const license = findLicense(reader, id);
  if (license === undefined) throw notFound('license', id);
  return { view: viewNow(deps, viewerOf(permit), { reader, license }), version: license.version };
}

/**
 * A licence as it reads with its key in full: the answer to a repeated create, as far as the caller may see it now.
 * @throws Fault NOT_FOUND
 */
export function showLicenseWithKey(deps: ReadLicenseDeps, permit: Permit, id: string): Shown<LicenseView> {
  const realm = realmOf(permit);
  const license = findLicense(deps.work.read.in(realm), id);
  if (license === undefined) throw notFound('license', id);
  const { view, version } = showLicense(deps, permit, id);
  return { view: { ...view, key: openLicenseKey(deps, realm, license) }, version };
}

/** A page of licences: three statements and the policies of the page, however many rows there are. */
export function listLicenses(deps: ReadLicenseDeps, permit: Permit, asked: ListLicenses): ListedLicense[] {
  const realm = realmOf(permit);
  const reader = deps.work.read.in(realm);
  const now = deps.time.now();
  const { userEmail, order, limit, ...given } = asked;
  const emails = userEmail === undefined ? undefined : emailsOf(deps, realm, userEmail);
  const filter = { ...given, emails, now };
  const licenses =
    order.by === 'newest'
      ? newestLicenses(reader, filter, { before: order.before, limit })
      : expiringLicenses(reader, filter, { until: order.until, after: order.after, limit });
  return viewsOf(deps, permit, { reader, licenses, now });
}

/** Who looks: on which realm, and whether persons are shown in clear. */
export interface Viewer {
  readonly realm: RealmId;
  readonly reveal: boolean;
}

/** The viewer a permit stands for. */
export function viewerOf(permit: Permit): Viewer {
  return { realm: realmOf(permit), reveal: holdsScope(permit, 'licenses:reveal') };
}

/** A licence that was just read, as its caller may see it now. */
export function viewNow(
  deps: ReadLicenseDeps,
  viewer: Viewer,
  read: { readonly reader: RealmReader; readonly license: LicenseSnapshot },
): LicenseView {
  return licenseView(read.license, facetsNow(deps, viewer, read));
}

/** Everything a view of one licence shows beside its row; read inside a unit, it is what the unit has made of it. */
export function facetsNow(
  deps: ReadLicenseDeps,
  viewer: Viewer,
  { reader, license }: { readonly reader: RealmReader; readonly license: LicenseSnapshot },
): LicenseFacets {
  const now = deps.time.now();
  const own = ownEntitlementCodes(reader, [license.id], now);
  return facetsOf(deps, { ...viewer, reader, own, now }, license);
}

interface Facing extends Viewer {
  readonly reader: RealmReader;
  readonly own: ReadonlyMap<string, readonly string[]>;
  readonly now: EpochMs;
}

function viewsOf(
  deps: ReadLicenseDeps,
  permit: Permit,
  page: {
    readonly reader: RealmReader;
    readonly licenses: readonly LicenseSnapshot[];
    readonly now: EpochMs;
  },
): ListedLicense[] {
  const { reader, licenses, now } = page;
  const ids = licenses.map(({ id }) => id);
  const own = ownEntitlementCodes(reader, ids, now);
  const facing = { ...viewerOf(permit), reader, own, now };
  return licenses.map((license) => {
    const view = licenseView(license, facetsOf(deps, facing, license));
    return { seq: license.seq, expiresAt: license.expiresAt, view };
  });
}

function facetsOf(deps: ReadLicenseDeps, facing: Facing, license: LicenseSnapshot): LicenseFacets {
  const { reader, realm, own, reveal, now } = facing;
  const policy = deps.policies.get(reader, { realm, id: license.policyId, version: license.policyVersion });
  const codes = [...(own.get(license.id) ?? []), ...policy.entitlements.map(({ code }) => code)];
  return {
    personal: openPersonal(deps.sealer, realm, license),
    entitlements: [...new Set(codes)].sort(),
    pending: deps.licenseUsage.pending(realm, license.id),
    reveal,
    now,
  };
}

function emailsOf(deps: ReadLicenseDeps, realm: RealmId, address: string): Buffer[] {
  return emailCandidates(deps.indexer, realm, address).map(({ digest }) => digest);
}
