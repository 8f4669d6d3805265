import { type EpochMs, isoTime } from '../../lib/clock.ts';
import type { DecidingColumns } from '../../storage/journal.ts';
import type { Scope } from '../scopes.ts';
import type { ApiKeyKind, KeyEnvironment } from './api-key-text.ts';

/** How much a key may ask for, least first; what each allows is the rate limiter's table. */
export const TIERS = ['free', 'standard', 'premium', 'unlimited'] as const;

/** A tier. */
export type Tier = (typeof TIERS)[number];

/** Licences, files and imports a day, when nobody says otherwise. */
export const DEFAULT_ISSUE_LIMIT = 1000;

/** An API key as stored. Times in milliseconds since the epoch. */
export interface ApiKey {
  readonly id: string;
  readonly kind: ApiKeyKind;
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Addresses it may come from; empty: any. */
  readonly allowedCidrs: readonly string[];
  readonly tier: Tier;
  readonly publicId: string;
  /** HMAC-SHA-256 of the secret, under version `indexVersion` of the appliance's index key. */
  readonly secretHash: Buffer;
  /** The secret before the last rotation, good until `previousValidUntil`. */
  readonly previousSecretHash: Buffer | null;
  readonly previousValidUntil: EpochMs | null;
  readonly indexVersion: number;
  readonly lastFour: string;
  /** Null: none. */
  readonly issueLimitPerDay: number | null;
  /** Licences, files and imports in all. Null: no limit. */
  readonly issueLimitTotal: number | null;
  /** Ids of the products it may see and touch; empty: all. */
  readonly allowedProducts: readonly string[];
  /** Kind and id of who made it. */
  readonly createdBy: string;
  /** Whether it ends with the key that made it. */
  readonly cascade: boolean;
  readonly expiresAt: EpochMs | null;
  readonly revokedAt: EpochMs | null;
  readonly rotatedAt: EpochMs;
  readonly version: number;
  readonly createdAt: EpochMs;
  readonly updatedAt: EpochMs;
}

/** What is counted of a key's use. */
export interface ApiKeyUse {
  readonly lastUsedAt: EpochMs | null;
  /** Address, opened. */
  readonly lastUsedFrom: string | null;
}

/** An API key as the API shows it. */
export interface ApiKeyView {
  readonly id: string;
  readonly kind: ApiKeyKind;
  readonly environment: KeyEnvironment;
  readonly name: string;
  readonly masked: string;
  readonly scopes: readonly Scope[];
  readonly allowedCidrs: readonly string[];
  readonly tier: Tier;
  readonly issueLimitPerDay: number | null;
  readonly issueLimitTotal: number | null;
  readonly allowedProducts: readonly string[];
  readonly createdBy: string;
  readonly cascade: boolean;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
  readonly rotatedAt: string;
  /** Until when the secret before the last rotation is good; null when it is not. */
  readonly previousValidUntil: string | null;
  readonly lastUsedAt: string | null;
  readonly lastUsedFrom: string | null;
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** What of a key decides nothing. */
type Undecided = 'name' | 'lastFour' | 'indexVersion' | 'rotatedAt' | 'version' | 'createdAt' | 'updatedAt';

/** What the ledger's digests of a key cover: whoever could change one of these in the file could let himself in. */
export function apiKeyDecides(
  key: Omit<ApiKey, 'scopes' | 'tier' | Undecided> & {
    readonly scopes: readonly string[];
    readonly tier: string;
  },
): DecidingColumns {
  const { id, kind, tier, publicId, issueLimitPerDay, expiresAt, revokedAt, previousValidUntil } = key;
  return {
    ...{ id, kind, tier, publicId, issueLimitPerDay, expiresAt, revokedAt, previousValidUntil },
    scopes: key.scopes.join(' '),
    allowedCidrs: key.allowedCidrs.join(' '),
    issueLimitTotal: key.issueLimitTotal,
    allowedProducts: key.allowedProducts.join(' '),
    cascade: key.cascade,
    createdBy: key.createdBy,
    secretHash: key.secretHash.toString('base64'),
    previousSecretHash: key.previousSecretHash?.toString('base64') ?? null,
  };
}

/** A key as the API shows it; never its secret. */
export function apiKeyView(
  key: ApiKey,
  environment: KeyEnvironment,
  use: ApiKeyUse = NEVER_USED,
): ApiKeyView {
  const { id, kind, name, scopes, allowedCidrs, tier, createdBy, cascade } = key;
  const { issueLimitPerDay, issueLimitTotal, allowedProducts } = key;
  return {
    ...{ id, kind, environment, name },
    masked: `${kind}_${environment}_mm…${key.lastFour}`,
    ...{ scopes, allowedCidrs, tier, issueLimitPerDay, issueLimitTotal, allowedProducts, createdBy, cascade },
    expiresAt: timeOrNull(key.expiresAt),
    revokedAt: timeOrNull(key.revokedAt),
    rotatedAt: isoTime(key.rotatedAt),
    previousValidUntil: timeOrNull(key.previousValidUntil),
    lastUsedAt: timeOrNull(use.lastUsedAt),
    lastUsedFrom: use.lastUsedFrom,
    createdAt: isoTime(key.createdAt),
    updatedAt: isoTime(key.updatedAt),
  };
}

const NEVER_USED: ApiKeyUse = { lastUsedAt: null, lastUsedFrom: null };

function timeOrNull(at: EpochMs | null): string | null {
  return at === null ? null : isoTime(at);
}
