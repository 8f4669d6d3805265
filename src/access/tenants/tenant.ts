import { type EpochMs, isoTime } from '../../lib/clock.ts';
import type { DecidingColumns } from '../../storage/journal.ts';
import type { Tier } from '../api-keys/api-key.ts';

/** Whether a tenant's keys and operators are let in; licences validate either way. */
export type TenantStatus = 'active' | 'suspended' | 'erased';

/** A tenant as stored. Times in milliseconds since the epoch. */
export interface Tenant {
  readonly id: string;
  readonly code: string;
  readonly name: string;
  readonly status: TenantStatus;
  readonly tier: Tier;
  /** Null: no limit. Exceeding one blocks creation, never validation. */
  readonly maxLicenses: number | null;
  readonly maxMachines: number | null;
  /** Sealed; null: none. */
  readonly contact: Buffer | null;
  readonly version: number;
  readonly createdAt: EpochMs;
  readonly updatedAt: EpochMs;
}

/** A tenant as the API shows it. */
export interface TenantView {
  readonly id: string;
  readonly code: string;
  readonly name: string;
  readonly status: TenantStatus;
  readonly tier: Tier;
  readonly maxLicenses: number | null;
  readonly maxMachines: number | null;
  readonly contact: string | null;
  /** Fingerprints of the root keys, which applications pin. */
  readonly roots: readonly string[];
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** What the ledger's digests of a tenant cover. */
export function tenantDecides(tenant: Tenant): DecidingColumns {
  const { id, code, status, tier, maxLicenses, maxMachines } = tenant;
  return { id, code, status, tier, maxLicenses, maxMachines };
}

/** A tenant with its opened contact and its roots, as the API shows it. */
export function tenantView(
  tenant: Tenant,
  shown: { readonly contact: string | null; readonly roots: readonly string[] },
): TenantView {
  const { id, code, name, status, tier, maxLicenses, maxMachines } = tenant;
  return {
    ...{ id, code, name, status, tier, maxLicenses, maxMachines },
    ...shown,
    createdAt: isoTime(tenant.createdAt),
    updatedAt: isoTime(tenant.updatedAt),
  };
}
