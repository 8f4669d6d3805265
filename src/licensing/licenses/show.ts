import type { Permit } from '../../access/index.ts';
import type { Indexer, Sealer } from '../../custody/sealer.ts';
import { Fault } from '../../faults.ts';
import type { EpochMs } from '../../lib/clock.ts';
import { invariant } from '../../lib/invariant.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmReader } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { holdsScope, realmOf, requireMayRestore } from '../caller.ts';
import type { PolicyCache } from '../policies/policy-cache.ts';
import { productsOf } from '../product-limit.ts';
import { notFound } from '../refusal.ts';
import { productsWithKey } from '../products/metadata-key-store.ts';
import { deletedShown, type Shown } from '../schema.ts';
import type { LicenseUsage } from '../validation/license-usage.ts';
import { ownEntitlements } from './license-entitlement-store.ts';
import { type DeletedLicense, deletedLicenses } from './deleted-license-store.ts';
import {
  type CreationOrder,
  type ExpiryOrder,
  type LicenseFilter,
  licensesByCreation,
  licensesByExpiry,
} from './license-list-store.ts';
import { metadataCandidates, type MetadataFilter } from './license-metadata.ts';
import { emailCandidates, openLicenseKey, openPersonal } from './license-sealing.ts';
import { findLicense } from './license-store.ts';
import { type LicenseFacets, licenseView, type LicenseView } from './license-view.ts';
import type { LicenseSnapshot, OwnEntitlement } from './license.ts';

/** What showing licences needs. */
export interface ReadLicenseDeps {
  readonly work: Pick<UnitOfWork, 'read'>;
  readonly sealer: Sealer;
  readonly indexer: Indexer;
  readonly policies: Pick<PolicyCache, 'get' | 'preload'>;
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
export interface ListLicenses extends Omit<LicenseFilter, 'products' | 'emails' | 'metadata' | 'now'> {
  readonly productId?: string | undefined;
  readonly userEmail?: string | undefined;
  /** Only keys that the product declares indexed (without a product: some product of the realm). */
  readonly metadata?: readonly MetadataFilter[] | undefined;
  /** True: those that are deleted and can still be restored, in order of creation. */
  readonly deleted?: boolean | undefined;
  readonly order: CreationOrder | ExpiryOrder;
  readonly limit: number;
}

/**
 * One licence with its version.
 * @throws Fault NOT_FOUND
 */
export function showLicense(deps: ReadLicenseDeps, permit: Permit, id: string): Shown<LicenseView> {
  const realm = realmOf(permit);
  const reader = deps.work.read.in(realm);
  const license = findLicense(reader, id);
  if (license === undefined) throw notFound('licence', id);
  return { view: viewNow(deps, viewerOf(permit), { reader, license }), version: license.version };
}

/**
 * A licence as it reads with its key in full: the answer to a repeated create, as far as the caller may see it now.
 * @throws Fault NOT_FOUND
 */
export function showLicenseWithKey(deps: ReadLicenseDeps, permit: Permit, id: string): Shown<LicenseView> {
  const realm = realmOf(permit);
  const license = findLicense(deps.work.read.in(realm), id);
  if (license === undefined) throw notFound('licence', id);
  const { view, version } = showLicense(deps, permit, id);
  return { view: { ...view, key: openLicenseKey(deps, realm, license) }, version };
}

/**
 * A page of licences: as many statements for one row as for a hundred, and two for policies that are not known yet.
 * @throws Fault VALIDATION_FAILED (a key of metadata is not indexed), INDEX_BUILDING; INSUFFICIENT_SCOPE for deleted ones
 */
export function listLicenses(deps: ReadLicenseDeps, permit: Permit, asked: ListLicenses): ListedLicense[] {
  const realm = realmOf(permit);
  const reader = deps.work.read.in(realm);
  const now = deps.time.now();
  const { deleted = false } = asked;
  if (deleted) requireMayRestore(permit, 'licenses:write');
  const products = asked.productId === undefined ? productsOf(permit) : [asked.productId];
  const filter = filterOf(deps, { realm, reader, now }, { ...asked, products });
  const read = deleted ? pageOfDeleted : pageOf;
  const licenses = read(reader, filter, asked);
  return viewsOf(deps, permit, { reader, licenses, now });
}

function filterOf(
  deps: ReadLicenseDeps,
  { realm, reader, now }: { readonly realm: RealmId; readonly reader: RealmReader; readonly now: EpochMs },
  asked: ListLicenses & { readonly products: readonly string[] | null },
): LicenseFilter {
  const { products, policyId, status, userEmail, metadata = [] } = asked;
  for (const { name } of metadata) requireIndexed(reader, { products, name });
  const emails = userEmail === undefined ? undefined : emailsOf(deps, realm, userEmail);
  const digests = metadata.map((wanted) => metadataCandidates(deps.indexer, realm, wanted));
  return { products, policyId, status, emails, metadata: digests, now };
}

function pageOf(reader: RealmReader, filter: LicenseFilter, asked: ListLicenses): LicenseSnapshot[] {
  const { order, limit } = asked;
  return order.by === 'createdAt'
    ? licensesByCreation(reader, filter, { order, limit })
    : licensesByExpiry(reader, filter, { order, limit });
}

function pageOfDeleted(reader: RealmReader, filter: LicenseFilter, asked: ListLicenses): DeletedLicense[] {
  const { order, limit } = asked;
  invariant(order.by === 'createdAt', 'what is deleted is listed in order of creation');
  return deletedLicenses(reader, filter, { order, limit });
}

/**
 * A filter by a key finds every licence that matches, or is refused.
 * @throws Fault VALIDATION_FAILED, INDEX_BUILDING
 */
function requireIndexed(
  reader: RealmReader,
  { products, name }: { readonly products: readonly string[] | null; readonly name: string },
): void {
  const path = `metadata.${name}`;
  const declared = productsWithKey(reader, name).filter(
    (key) => products === null || products.includes(key.productId),
  );
  if (declared.length === 0) {
    const message = `licences are not indexed by ${path}: add ${name} to indexedMetadata of the product`;
    throw new Fault('VALIDATION_FAILED', message, { errors: [{ path, code: 'NOT_INDEXED', message }] });
  }
  if (declared.every(({ state }) => state === 'ready')) return;
  throw new Fault('INDEX_BUILDING', `licences are being indexed by ${path}; not all of them are yet`, {
    retryAfterMs: RETRY_BUILDING_MS,
  });
}

/** The job looks every few seconds, and indexes some thousands of licences a second. */
const RETRY_BUILDING_MS = 5000;

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
  const own = ownEntitlements(reader, [license.id], now);
  return facetsOf(deps, { ...viewer, own, inherited: ofPolicy(deps, viewer.realm, reader), now }, license);
}

interface Facing extends Viewer {
  readonly own: ReadonlyMap<string, readonly OwnEntitlement[]>;
  /** Codes that a licence has of its policy. */
  readonly inherited: (license: LicenseSnapshot) => readonly string[];
  readonly now: EpochMs;
}

function viewsOf(
  deps: ReadLicenseDeps,
  permit: Permit,
  page: {
    readonly reader: RealmReader;
    readonly licenses: readonly (LicenseSnapshot & { readonly deletedAt?: EpochMs })[];
    readonly now: EpochMs;
  },
): ListedLicense[] {
  const { reader, licenses, now } = page;
  const ids = licenses.map(({ id }) => id);
  const own = ownEntitlements(reader, ids, now);
  const viewer = viewerOf(permit);
  deps.policies.preload(
    reader,
    licenses.map(({ policyId: id, policyVersion: version }) => ({ realm: viewer.realm, id, version })),
  );
  const facing = { ...viewer, own, inherited: ofPolicy(deps, viewer.realm, reader), now };
  return licenses.map((license) => {
    const { deletedAt = null } = license;
    // The policy of a deleted licence may be deleted, too, and it entitles to nothing any more.
    const inherited = deletedAt === null ? facing.inherited : () => [];
    const shown = licenseView(license, facetsOf(deps, { ...facing, inherited }, license));
    const view = { ...shown, ...deletedShown(deletedAt) };
    return { seq: license.seq, expiresAt: license.expiresAt, view };
  });
}

function ofPolicy(
  deps: Pick<ReadLicenseDeps, 'policies'>,
  realm: RealmId,
  reader: RealmReader,
): Facing['inherited'] {
  return ({ policyId: id, policyVersion: version }) =>
    deps.policies.get(reader, { realm, id, version }).entitlements.map(({ code }) => code);
}

function facetsOf(deps: ReadLicenseDeps, facing: Facing, license: LicenseSnapshot): LicenseFacets {
  const { realm, reveal, now } = facing;
  const own = facing.own.get(license.id) ?? [];
  const codes = [...own.map(({ code }) => code), ...facing.inherited(license)];
  return {
    personal: openPersonal(deps.sealer, realm, license),
    entitlements: [...new Set(codes)].sort(),
    own,
    pending: deps.licenseUsage.pending(realm, license.id),
    reveal,
    now,
  };
}

function emailsOf(deps: ReadLicenseDeps, realm: RealmId, address: string): Buffer[] {
  return emailCandidates(deps.indexer, realm, address).map(({ digest }) => digest);
}
