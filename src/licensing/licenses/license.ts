import type { EpochMs } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { TermStart } from './term.ts';

/** Where a licence is in its life, as stored. `expired` is written by the sweeper; until then it is derived. */
export const LICENSE_STATUSES = ['active', 'suspended', 'expired', 'revoked', 'banned'] as const;

/** One of `LICENSE_STATUSES`. */
export type LicenseStatus = (typeof LICENSE_STATUSES)[number];

/** An entitlement that a licence carries itself, beside those of its policy. */
export interface OwnEntitlement {
  readonly id: string;
  readonly code: string;
  /** null: as long as the licence. */
  readonly expiresAt: EpochMs | null;
}

/**
 * One living licence as a single read gives it: its own columns, its counters, and the versions of what it rests on.
 * Sealed values stay sealed (`openLicenseKey`, `openPersonal`). Times in milliseconds since the epoch.
 */
export interface LicenseSnapshot {
  /** Order of creation inside the database; the sort key of lists. */
  readonly seq: number;
  readonly id: string;
  readonly productId: string;
  readonly policyId: string;
  /** As stored: use `statusAt` for what holds now. */
  readonly status: LicenseStatus;
  /** When it came into that state; null: when it was created. */
  readonly statusSince: EpochMs | null;
  readonly expiresAt: EpochMs | null;
  /** What its term waits for to begin; `expiresAt` is null until then. null: it runs, or there is none. */
  readonly startsOn: TermStart | null;
  readonly maxMachinesOverride: number | null;
  readonly maxUsesOverride: number | null;
  readonly keySealed: Buffer | null;
  readonly keyMasked: string;
  readonly keyOrigin: 'generated' | 'imported';
  /** 1: the key can be guessed from a file (imported and graded weak); it never encrypts one. */
  readonly weakKey: number;
  readonly personal: Buffer | null;
  readonly firstActivatedAt: EpochMs | null;
  readonly firstValidatedAt: EpochMs | null;
  readonly version: number;
  readonly createdAt: EpochMs;
  readonly updatedAt: EpochMs;
  /** Occupied seats. */
  readonly seats: number;
  /** Counted uses that are on disk; add what is not yet flushed. */
  readonly uses: number;
  readonly lastValidatedAt: EpochMs | null;
  readonly lastCheckedOutAt: EpochMs | null;
  /** Changes with every edit of the policy and of its entitlements; the key of the policy cache. */
  readonly policyVersion: number;
  readonly productVersion: number;
  readonly productCode: string;
  /** Which licence key signs this product's files. */
  readonly signingKid: string;
}

/** What of a licence names or describes a person; stored as one sealed JSON value. Absent members are null or empty. */
export interface LicensePersonal {
  readonly name: string | null;
  readonly userEmail: string | null;
  readonly userName: string | null;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Which licence of which realm. */
export interface LicenseRef {
  readonly realm: RealmId;
  readonly id: string;
}

/**
 * The status that holds at `now`: a licence whose time has come is expired before the sweeper has written so.
 * @param now trusted time
 */
export function statusAt(
  license: Pick<LicenseSnapshot, 'status' | 'expiresAt'>,
  now: EpochMs,
): LicenseStatus {
  const over = license.expiresAt !== null && license.expiresAt <= now;
  return license.status === 'active' && over ? 'expired' : license.status;
}

/** Since when `statusAt` has held. @param now trusted time */
export function statusSinceAt(
  license: Pick<LicenseSnapshot, 'status' | 'statusSince' | 'expiresAt' | 'createdAt'>,
  now: EpochMs,
): EpochMs {
  // The sweep writes the state later than the time has come; it is the time that counts.
  if (statusAt(license, now) === 'expired') return license.expiresAt ?? now;
  return license.statusSince ?? license.createdAt;
}
