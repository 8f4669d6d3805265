import { isoTime, type EpochMs } from '../lib/clock.ts';
import type { FileProtection } from './certificate.ts';

/** Free data of the integrator; at most 16 KB, and a file has room for about 10 KB in all. */
export type Metadata = Readonly<Record<string, unknown>>;

/** Ids of what a licence belongs to; they become the JSON:API relationships. */
export interface LicenseOwners {
  readonly tenantId: string;
  readonly productId: string;
  readonly policyId: string;
}

/** A licence as a file tells it. The key is not here: `FileProtection` decides in which form it may appear. */
export interface LicenseFacts {
  readonly id: string;
  readonly name: string | null;
  /** When the licence itself ends; null = perpetual. */
  readonly expiresAt: EpochMs | null;
  /** Upper case, e.g. `ACTIVE`. */
  readonly status: string;
  readonly usesCount: number;
  readonly suspended: boolean;
  readonly floating: boolean;
  /** null = unlimited. */
  readonly maxMachines: number | null;
  readonly metadata: Metadata;
  readonly createdAt: EpochMs;
  readonly updatedAt: EpochMs;
  readonly owners: LicenseOwners;
}

/** A machine as a file tells it. */
export interface MachineFacts {
  readonly id: string;
  readonly fingerprint: string;
  readonly name: string | null;
  readonly platform: string | null;
  readonly hostname: string | null;
  readonly cores: number | null;
  readonly heartbeat: HeartbeatFacts;
  readonly metadata: Metadata;
  readonly createdAt: EpochMs;
  readonly updatedAt: EpochMs;
}

/** The heartbeat rule a machine stands under. */
export interface HeartbeatFacts {
  readonly required: boolean;
  readonly status: 'NOT_STARTED' | 'ALIVE' | 'DEAD';
  /** Seconds between heartbeats; null when none are required. */
  readonly intervalSeconds: number | null;
}

/** An entitlement as a file tells it. */
export interface EntitlementFacts {
  readonly id: string;
  readonly code: string;
  readonly name: string;
  readonly metadata: Metadata;
  readonly createdAt: EpochMs;
  readonly updatedAt: EpochMs;
}

const link = (type: string, id: string): object => ({ data: { type, id } });

/**
 * The licence as a JSON:API resource.
 * @param scheme the ecosystem's name for the signature, e.g. `ED25519_SIGN`
 */
export function licenseResource(
  license: LicenseFacts,
  entitlements: readonly EntitlementFacts[],
  file: { readonly protection: FileProtection; readonly scheme: string },
): object {
  const { owners } = license;
  return {
    type: 'licenses',
    id: license.id,
    attributes: licenseAttributes(license, file),
    relationships: {
      account: link('accounts', owners.tenantId),
      product: link('products', owners.productId),
      policy: link('policies', owners.policyId),
      entitlements: { data: entitlements.map(({ id }) => ({ type: 'entitlements', id })) },
    },
  };
}

function licenseAttributes(
  license: LicenseFacts,
  file: { readonly protection: FileProtection; readonly scheme: string },
): object {
  const { protection } = file;
  return {
    name: license.name,
    key: protection.mode === 'encrypted' ? protection.licenseKey.expose() : protection.maskedKey,
    expiry: license.expiresAt === null ? null : isoTime(license.expiresAt),
    status: license.status,
    uses: license.usesCount,
    suspended: license.suspended,
    scheme: file.scheme,
    encrypted: protection.mode === 'encrypted',
    floating: license.floating,
    maxMachines: license.maxMachines,
    metadata: license.metadata,
    created: isoTime(license.createdAt),
    updated: isoTime(license.updatedAt),
  };
}

/**
 * The machine as a JSON:API resource. The three heartbeat members are there for typed readers, which refuse a machine
 * without them.
 */
export function machineResource(machine: MachineFacts, license: LicenseFacts): object {
  const { owners } = license;
  return {
    type: 'machines',
    id: machine.id,
    attributes: machineAttributes(machine),
    relationships: {
      account: link('accounts', owners.tenantId),
      license: link('licenses', license.id),
      product: link('products', owners.productId),
      policy: link('policies', owners.policyId),
    },
  };
}

function machineAttributes(machine: MachineFacts): object {
  const { heartbeat } = machine;
  return {
    fingerprint: machine.fingerprint,
    name: machine.name,
    platform: machine.platform,
    hostname: machine.hostname,
    cores: machine.cores,
    requireHeartbeat: heartbeat.required,
    heartbeatStatus: heartbeat.status,
    heartbeatDuration: heartbeat.intervalSeconds,
    metadata: machine.metadata,
    created: isoTime(machine.createdAt),
    updated: isoTime(machine.updatedAt),
  };
}

/** An entitlement as a JSON:API resource; typed readers drop one without times and relationships. */
export function entitlementResource(entitlement: EntitlementFacts): object {
  return {
    type: 'entitlements',
    id: entitlement.id,
    attributes: {
      name: entitlement.name,
      code: entitlement.code,
      metadata: entitlement.metadata,
      created: isoTime(entitlement.createdAt),
      updated: isoTime(entitlement.updatedAt),
    },
    relationships: {},
  };
}
