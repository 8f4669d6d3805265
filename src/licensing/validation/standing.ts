import type { Indexer } from '../../custody/sealer.ts';
import type { EpochMs } from '../../lib/clock.ts';
import { equalBytes } from '../../lib/secret.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmReader } from '../../storage/tx.ts';
import { findLicense } from '../licenses/license-store.ts';
import type { LicenseSnapshot } from '../licenses/license.ts';
import { componentDigest, fingerprintDigests } from '../machines/machine-sealing.ts';
import { componentsOf } from '../machines/component-store.ts';
import { findMachineByFingerprint } from '../machines/machine-store.ts';
import type { MachineUsage } from '../machines/machine-usage.ts';
import { IDENTIFYING_COMPONENTS, lastSeenAt, type MachineSnapshot } from '../machines/machine.ts';
import type { PolicySettings } from '../policies/policy-settings.ts';
import type { DecidingMachine, DecisionFacts } from './decide.ts';
import type { LicenseUsage } from './license-usage.ts';
import { heldEntitlements, type HeldEntitlementRow } from './standing-store.ts';

/** Resolved settings of policies, parsed once per version. */
export interface PolicySource {
  /** The settings of the living policy `id` at `version`. */
  settings(
    reader: RealmReader,
    policy: { readonly realm: RealmId; readonly id: string; readonly version: number },
  ): PolicySettings;
}

/** What reading a standing needs. */
export interface StandingDeps {
  readonly indexer: Indexer;
  readonly policies: PolicySource;
  readonly licenseUsage: Pick<LicenseUsage, 'pending'>;
  readonly machineUsage: Pick<MachineUsage, 'pending'>;
  /** Since when this appliance takes heartbeats, trusted time. */
  readonly readyAt: () => EpochMs;
}

/** The components of a machine, by name. */
export type Components = Readonly<Record<string, string>>;

/** Whose standing is asked for. */
export interface StandingRequest {
  readonly realm: RealmId;
  readonly licenseId: string;
  readonly fingerprint?: string | undefined;
  readonly components?: Components | undefined;
}

/** Everything that is known of a licence, and of one machine under it, at one moment. */
export interface Standing {
  readonly realm: RealmId;
  readonly license: LicenseSnapshot;
  readonly policy: PolicySettings;
  readonly machine: MachineSnapshot | null;
  readonly entitlements: readonly HeldEntitlementRow[];
  /** The same, as the decision looks at it. */
  readonly facts: DecisionFacts;
}

/** Reads a licence, its policy, its entitlements and the machine with the fingerprint; undefined: no such licence. */
export function readStanding(
  deps: StandingDeps,
  reader: RealmReader,
  request: StandingRequest,
): Standing | undefined {
  const { realm } = request;
  const license = findLicense(reader, request.licenseId);
  if (license === undefined) return undefined;
  const policy = deps.policies.settings(reader, {
    realm,
    id: license.policyId,
    version: license.policyVersion,
  });
  const entitlements = heldEntitlements(reader, { licenseId: license.id, policyId: license.policyId });
  const machine = findAsked(deps, reader, request);
  const deciding = machine === undefined ? null : decidingMachine(deps, reader, { request, machine });
  const facts = { ...licenseFacts(deps, realm, license), policy, entitlements, machine: deciding };
  const complete = { ...withLimits(facts, license), readyAt: deps.readyAt() };
  return { realm, license, policy, machine: machine ?? null, entitlements, facts: complete };
}

function findAsked(
  deps: StandingDeps,
  reader: RealmReader,
  { realm, licenseId, fingerprint }: StandingRequest,
): MachineSnapshot | undefined {
  if (fingerprint === undefined) return undefined;
  const digests = fingerprintDigests(deps.indexer, realm, fingerprint);
  return findMachineByFingerprint(reader, licenseId, digests);
}

function licenseFacts(deps: StandingDeps, realm: RealmId, license: LicenseSnapshot) {
  const pending = deps.licenseUsage.pending(realm, license.id)?.uses ?? 0;
  const { status, expiresAt, seats } = license;
  return { status, expiresAt, seats, uses: license.uses + pending };
}

/** A licence's own limits count where the policy allows it to have any. */
function withLimits<T extends { readonly policy: PolicySettings }>(facts: T, license: LicenseSnapshot) {
  const { policy } = facts;
  const maxMachines = (policy.overridable ? license.maxMachinesOverride : null) ?? policy.maxMachines;
  const maxUses = (policy.overridable ? license.maxUsesOverride : null) ?? policy.maxUses;
  return { ...facts, maxMachines, maxUses };
}

function decidingMachine(
  deps: StandingDeps,
  reader: RealmReader,
  { request, machine }: { readonly request: StandingRequest; readonly machine: MachineSnapshot },
): DecidingMachine {
  const { realm, components } = request;
  const heartbeat = deps.machineUsage.pending(realm, machine.id)?.heartbeat;
  return {
    alive: machine.alive === 1,
    lastSeenAt: heartbeat?.at ?? lastSeenAt(machine),
    componentsMatch:
      components === undefined || componentsMatch(deps, reader, { realm, machine, components }),
  };
}

/** Every identifying component that was sent and is stored has to be the same (`MATCH_ALL`). */
function componentsMatch(
  { indexer }: StandingDeps,
  reader: RealmReader,
  asked: { readonly realm: RealmId; readonly machine: MachineSnapshot; readonly components: Components },
): boolean {
  const { realm, machine, components } = asked;
  return componentsOf(reader, machine.id).every(({ name, valueHash }) => {
    const value = components[name];
    if (value === undefined || !IDENTIFYING_COMPONENTS.has(name)) return true;
    return equalBytes(componentDigest(indexer, realm, { name, value }).digest, valueHash);
  });
}
