import { isoTime, type EpochMs } from '../../lib/clock.ts';
import type { JsonValue } from '../../lib/strict-json.ts';
import type { DecidingColumns } from '../../storage/journal.ts';
import { maskedOrNull, maskEmail, maskName } from '../masking.ts';
import type { Metadata } from '../metadata.ts';
import {
  type LicensePersonal,
  type LicenseSnapshot,
  type LicenseStatus,
  type OwnEntitlement,
  statusAt,
  statusSinceAt,
} from './license.ts';
import type { TermStart } from './term.ts';

/** A licence as the API shows it. */
export interface LicenseView {
  readonly id: string;
  readonly productId: string;
  readonly policyId: string;
  readonly name: string | null;
  /** Masked; in full only in the answer to create. */
  readonly key: string;
  readonly weakKey: boolean;
  readonly status: LicenseStatus;
  /** Since when it has that status. */
  readonly statusSince: string;
  readonly expiresAt: string | null;
  /** What its term waits for to begin; null: it runs, or there is none. */
  readonly startsOn: TermStart | null;
  readonly maxMachinesOverride: number | null;
  readonly maxUsesOverride: number | null;
  /** Masked, unless the caller may reveal. */
  readonly userEmail: string | null;
  readonly userName: string | null;
  /** Codes that hold now, sorted: the union of policy and licence. */
  readonly entitlements: readonly string[];
  /** Those of them that the licence has itself, in order of their codes, and until when. */
  readonly ownEntitlements: readonly OwnEntitlementView[];
  readonly metadata: Metadata;
  readonly machineCount: number;
  readonly usesCount: number;
  readonly lastValidatedAt: string | null;
  readonly lastCheckedOutAt: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** Only of what is deleted. */
  readonly deletedAt?: string;
}

/** An entitlement of a licence's own as the API shows it. */
export interface OwnEntitlementView {
  readonly id: string;
  readonly code: string;
  /** null: as long as the licence. */
  readonly expiresAt: string | null;
}

/** What a view shows beside the row itself. */
export interface LicenseFacets {
  readonly personal: LicensePersonal;
  readonly entitlements: readonly string[];
  readonly own: readonly OwnEntitlement[];
  /** Uses counted in memory and not yet on disk, and when the newest of them was. */
  readonly pending: { readonly uses: number; readonly at: EpochMs } | undefined;
  /** Whether the caller may see e-mail address and name in clear. */
  readonly reveal: boolean;
  /** Trusted time. */
  readonly now: EpochMs;
}

/** A licence of a row, as far as views and the ledger need it. */
export type LicenseRow = Omit<
  LicenseSnapshot,
  'seq' | 'policyVersion' | 'productVersion' | 'productCode' | 'signingKid'
>;

/** What the ledger's digests of a licence cover. */
export function licenseDecides(
  license: Pick<
    LicenseRow,
    | 'id'
    | 'productId'
    | 'policyId'
    | 'status'
    | 'expiresAt'
    | 'startsOn'
    | 'maxMachinesOverride'
    | 'maxUsesOverride'
    | 'keyOrigin'
    | 'weakKey'
  >,
  deletedAt: EpochMs | null = null,
): DecidingColumns {
  const { id, productId, policyId, status, expiresAt, startsOn } = license;
  const { maxMachinesOverride, maxUsesOverride, keyOrigin, weakKey } = license;
  const limits = { maxMachinesOverride, maxUsesOverride };
  return { id, productId, policyId, status, expiresAt, startsOn, ...limits, keyOrigin, weakKey, deletedAt };
}

/** A licence as the API shows it, its key masked. */
export function licenseView(license: LicenseRow, facets: LicenseFacets): LicenseView {
  const { personal, pending, reveal } = facets;
  const { name, metadata } = personal;
  return {
    id: license.id,
    productId: license.productId,
    policyId: license.policyId,
    name,
    key: license.keyMasked,
    weakKey: license.weakKey === 1,
    status: statusAt(license, facets.now),
    statusSince: isoTime(statusSinceAt(license, facets.now)),
    expiresAt: timeOrNull(license.expiresAt),
    startsOn: license.startsOn,
    maxMachinesOverride: license.maxMachinesOverride,
    maxUsesOverride: license.maxUsesOverride,
    userEmail: reveal ? personal.userEmail : maskedOrNull(personal.userEmail, maskEmail),
    userName: reveal ? personal.userName : maskedOrNull(personal.userName, maskName),
    entitlements: facets.entitlements,
    ownEntitlements: facets.own.map((own) => ({ ...own, expiresAt: timeOrNull(own.expiresAt) })),
    metadata,
    machineCount: license.seats,
    usesCount: license.uses + (pending?.uses ?? 0),
    lastValidatedAt: timeOrNull(pending?.at ?? license.lastValidatedAt),
    lastCheckedOutAt: timeOrNull(license.lastCheckedOutAt),
    createdAt: isoTime(license.createdAt),
    updatedAt: isoTime(license.updatedAt),
  };
}

/**
 * What events tell of a licence: what the API shows, with everything personal masked, and without `name` and `metadata`,
 * which are sealed at rest as an event's body is not. Codes of entitlements are enough for it: an event is small.
 */
export function licenseEvent(
  license: LicenseRow,
  facets: Pick<LicenseFacets, 'personal' | 'entitlements' | 'now'>,
): Readonly<Record<string, JsonValue>> {
  const { userEmail, userName, entitlements, ...shown } = licenseView(license, {
    ...facets,
    own: [],
    pending: undefined,
    reveal: false,
  });
  const { name: _name, metadata: _metadata, ownEntitlements: _own, ...rest } = shown;
  return { ...rest, userEmail, userName, entitlements: [...entitlements] };
}

const timeOrNull = (at: EpochMs | null): string | null => (at === null ? null : isoTime(at));
