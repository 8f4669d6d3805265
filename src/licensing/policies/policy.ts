import { isoTime, type EpochMs } from '../../lib/clock.ts';
import type { DecidingColumns } from '../../storage/journal.ts';
import type { Metadata } from '../metadata.ts';
import { deletedShown } from '../schema.ts';
import {
  type PolicyOverrides,
  policyOverridesOf,
  policyOverridesSchema,
  type PolicySettings,
  type PolicyTemplate,
  resolvePolicySettings,
} from './policy-settings.ts';

/** A living policy as stored. Times in milliseconds since the epoch. */
export interface Policy {
  readonly seq: number;
  readonly id: string;
  readonly productId: string;
  readonly name: string;
  /** Unique in the realm, fixed; signed licence keys name it. */
  readonly code: string;
  readonly template: PolicyTemplate | null;
  readonly templateVersion: number;
  /** What it states itself, as JSON (`PolicyOverrides`). */
  readonly settings: string;
  /** Sealed; null: none. */
  readonly metadata: Buffer | null;
  readonly version: number;
  readonly createdAt: EpochMs;
  readonly updatedAt: EpochMs;
  /** Null: it lives. */
  readonly deletedAt: EpochMs | null;
}

/** An entitlement as policies and licences name it. */
export interface EntitlementRef {
  readonly id: string;
  readonly code: string;
}

/** A policy as the API shows it: every setting resolved. */
export type PolicyView = PolicySettings & {
  readonly id: string;
  readonly productId: string;
  readonly name: string;
  readonly code: string;
  readonly template: PolicyTemplate | null;
  /** Codes, sorted. */
  readonly entitlements: readonly string[];
  readonly metadata: Metadata;
  readonly createdAt: string;
  readonly updatedAt: string;
  /** Only of what is deleted. */
  readonly deletedAt?: string;
};

/** The overrides a stored policy states. */
export function storedOverrides(policy: Pick<Policy, 'settings'>): PolicyOverrides {
  return policyOverridesOf(policyOverridesSchema.parse(JSON.parse(policy.settings)));
}

/** The complete settings of a stored policy. */
export function settingsOf(
  policy: Pick<Policy, 'settings' | 'template' | 'templateVersion'>,
): PolicySettings {
  return resolvePolicySettings(policy, storedOverrides(policy));
}

/** What the ledger's digests of a policy cover. */
export function policyDecides(
  policy: Pick<Policy, 'id' | 'productId' | 'code' | 'templateVersion' | 'settings'> & {
    readonly template: string | null;
  },
  deletedAt: EpochMs | null = null,
): DecidingColumns {
  const { id, productId, code, template, templateVersion, settings } = policy;
  return { id, productId, code, template, templateVersion, settings, deletedAt };
}

/** A policy with its opened metadata and its entitlements, as the API shows it. */
export function policyView(
  policy: Omit<Policy, 'seq'>,
  metadata: Metadata,
  entitlements: readonly EntitlementRef[],
): PolicyView {
  const { id, productId, name, code, template } = policy;
  return {
    id,
    productId,
    name,
    code,
    template,
    ...settingsOf(policy),
    entitlements: entitlements.map((entitlement) => entitlement.code).sort(),
    metadata,
    createdAt: isoTime(policy.createdAt),
    updatedAt: isoTime(policy.updatedAt),
    ...deletedShown(policy.deletedAt),
  };
}
