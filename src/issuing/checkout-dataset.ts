import type { Sealer } from '../custody/sealer.ts';
import { type EpochMs, MINUTE, SECOND } from '../lib/clock.ts';
import {
  openFingerprint,
  openMachinePersonal,
  openMetadata,
  openPersonal,
  type PreparedMachine,
  type Standing,
  statusAt,
} from '../licensing/index.ts';
import { isCarried } from './checkout-terms.ts';
import type { EntitlementFacts, HeartbeatFacts, LicenseFacts, MachineFacts } from './file-resources.ts';

interface SealerDeps {
  readonly sealer: Sealer;
}

/** A machine as a file tells it. */
export type MachineInFile = MachineFacts;

/** The licence of a standing as a file tells it. @throws Fault SEALED, KEY_STORAGE */
export function licenseFacts(
  { sealer }: SealerDeps,
  { realm, license, policy, facts }: Standing,
  given: { readonly tenantId: string; readonly now: EpochMs },
): LicenseFacts {
  const { name, metadata } = openPersonal(sealer, realm, license);
  const status = statusAt(license, given.now);
  return {
    id: license.id,
    name,
    expiresAt: license.expiresAt,
    status: status.toUpperCase(),
    usesCount: facts.uses,
    suspended: status === 'suspended',
    floating: policy.floating,
    maxMachines: facts.maxMachines,
    metadata,
    createdAt: license.createdAt,
    updatedAt: license.updatedAt,
    owners: { tenantId: given.tenantId, productId: license.productId, policyId: license.policyId },
  };
}

/** What the licence holds until `fileEndsAt`, each entitlement once, in the order of their codes. @throws Fault SEALED */
export function entitlementFacts(
  { sealer }: SealerDeps,
  standing: Standing,
  fileEndsAt: EpochMs,
): EntitlementFacts[] {
  const held = standing.entitlements.filter((entitlement) => isCarried(entitlement, fileEndsAt));
  const once = new Map(held.map((entitlement) => [entitlement.code, entitlement]));
  const sorted = [...once.values()].sort((a, b) => (a.code < b.code ? -1 : 1));
  return sorted.map(({ id, code, name, metadata, createdAt, updatedAt }) => {
    const cell = { realm: standing.realm, table: 'entitlements', row: id };
    return { id, code, name, metadata: openMetadata(sealer, cell, metadata), createdAt, updatedAt };
  });
}

/** When what the licence holds at `now` ends, as far as it ends; held twice, an entitlement ends with the later. */
export function entitlementEnds({ entitlements }: Standing, now: EpochMs): EpochMs[] {
  const ends = new Map<string, EpochMs>();
  for (const { code, expiresAt } of entitlements) {
    ends.set(code, Math.max(ends.get(code) ?? 0, expiresAt ?? Number.POSITIVE_INFINITY));
  }
  return [...ends.values()].filter((end) => end > now && Number.isFinite(end));
}

/** The machine a file is bound to: the one that is there, or the one the commit will activate; null: none. */
export function machineFacts(
  deps: SealerDeps,
  given: {
    readonly standing: Standing;
    readonly activation: PreparedMachine | null;
    readonly issuedAt: EpochMs;
  },
): MachineInFile | null {
  const { standing, activation, issuedAt } = given;
  if (activation !== null) return newMachine(standing, activation, issuedAt);
  const { realm, machine } = standing;
  if (machine === null) return null;
  const { name, hostname, metadata } = openMachinePersonal(deps.sealer, realm, machine);
  return {
    id: machine.id,
    fingerprint: openFingerprint(deps.sealer, realm, machine),
    ...{ name, hostname, metadata },
    platform: machine.platform,
    cores: machine.cores,
    heartbeat: heartbeatFacts(standing),
    createdAt: machine.createdAt,
    updatedAt: machine.updatedAt,
  };
}

function newMachine(standing: Standing, { row, fingerprint }: PreparedMachine, now: EpochMs): MachineInFile {
  const nothing = { name: null, hostname: null, metadata: {} };
  const { platform, cores } = row;
  const heartbeat = heartbeatFacts(standing);
  return { id: row.id, fingerprint, ...nothing, platform, cores, heartbeat, createdAt: now, updatedAt: now };
}

function heartbeatFacts({ policy, machine }: Standing): HeartbeatFacts {
  const intervalSeconds = (policy.heartbeatIntervalMinutes * MINUTE) / SECOND;
  const required = policy.requireHeartbeat;
  return { required, status: heartbeatStatus(machine), intervalSeconds: required ? intervalSeconds : null };
}

function heartbeatStatus(machine: Standing['machine']): HeartbeatFacts['status'] {
  if (machine === null) return 'NOT_STARTED';
  if (machine.alive === 0) return 'DEAD';
  return machine.lastHeartbeatAt === null ? 'NOT_STARTED' : 'ALIVE';
}
