import { type EpochMs, isoTime } from '../../lib/clock.ts';
import type { DecidingColumns } from '../../storage/journal.ts';
import type { Tier } from '../api-keys/api-key.ts';
import type { TenantUsage } from './tenant-room-store.ts';

/** Whether a tenant's keys and operators are let in; licences validate either way. */
export type TenantStatus = 'active' | 'suspended' | 'erased';

/** What a tenant may have in each environment; null: any number. Passing one blocks creation, never validation. */
export interface TenantLimits {
  /** Living licences. */
  readonly maxLicenses: number | null;
  /** Living machines. */
  readonly maxMachines: number | null;
  /** Files issued on a day (UTC). */
  readonly maxFilesPerDay: number | null;
  /** Rows that are kept, and entries of the ledger. */
  readonly maxRecords: number | null;
}

/** A tenant as stored. Times in milliseconds since the epoch. */
export interface Tenant extends TenantLimits {
  readonly id: string;
  readonly code: string;
  readonly name: string;
  readonly status: TenantStatus;
  readonly tier: Tier;
  /** Sealed; null: none. */
  readonly contact: Buffer | null;
  readonly version: number;
  readonly createdAt: EpochMs;
  readonly updatedAt: EpochMs;
}

/** A tenant as the API shows it. */
export interface TenantView extends TenantLimits {
  readonly id: string;
  readonly code: string;
  readonly name: string;
  readonly status: TenantStatus;
  readonly tier: Tier;
  readonly usage: Readonly<Record<'live' | 'test', TenantUsage>>;
  readonly contact: string | null;
  /** Fingerprints of the root keys, which applications pin. */
  readonly roots: readonly string[];
  readonly createdAt: string;
  readonly updatedAt: string;
}

/** The limits of a tenant, or of whatever else names them, alone. */
export function limitsOf(tenant: TenantLimits): TenantLimits {
  const { maxLicenses, maxMachines, maxFilesPerDay, maxRecords } = tenant;
  return { maxLicenses, maxMachines, maxFilesPerDay, maxRecords };
}

/** What the ledger's digests of a tenant cover. */
export function tenantDecides(
  tenant: Pick<Tenant, 'id' | 'code'> & { readonly status: string; readonly tier: string } & TenantLimits,
): DecidingColumns {
  const { id, code, status, tier } = tenant;
  return { id, code, status, tier, ...limitsOf(tenant) };
}

/** A tenant with its usage, its opened contact and its roots, as the API shows it. */
export function tenantView(
  tenant: Tenant,
  shown: Pick<TenantView, 'usage' | 'contact' | 'roots'>,
): TenantView {
  const { id, code, name, status, tier } = tenant;
  return {
    ...{ id, code, name, status, tier, ...limitsOf(tenant) },
    ...shown,
    createdAt: isoTime(tenant.createdAt),
    updatedAt: isoTime(tenant.updatedAt),
  };
}
