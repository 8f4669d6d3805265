import type { Indexer } from '../../custody/sealer.ts';
import type { EpochMs } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmReader } from '../../storage/tx.ts';
import { findLicense } from '../licenses/license-store.ts';
import type { LicenseSnapshot } from '../licenses/license.ts';
import type { MachineUsage } from '../machines/machine-usage.ts';
import { lastSeenAt, type MachineSnapshot } from '../machines/machine.ts';
import { type Recognised, recognise } from '../machines/recognise.ts';
import { seatsTaken } from '../machines/seat-store.ts';
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
  /** The machine with the fingerprint, or the one recognised by its components. */
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
  const recognised = recognise(deps, reader, { ...request, matching: policy.fingerprintMatching });
  const machine = recognised?.machine ?? null;
  const deciding = recognised === undefined ? null : decidingMachine(deps, realm, recognised);
  const seats = seatsCounted(reader, { license, policy, machine });
  const facts = { ...licenseFacts(deps, realm, license), seats, policy, entitlements, machine: deciding };
  const complete = { ...withLimits(facts, license), readyAt: deps.readyAt() };
  return { realm, license, policy, machine, entitlements, facts: complete };
}

/** Seats taken of what the policy limits: the licence's, or those of the user of the machine. */
function seatsCounted(
  reader: RealmReader,
  standing: Pick<Standing, 'license' | 'policy' | 'machine'>,
): number {
  const { license, policy, machine } = standing;
  if (policy.machineLeasing === 'PER_LICENSE') return license.seats;
  return machine === null ? 0 : seatsTaken(reader, machine, { leasing: 'PER_USER' });
}

function licenseFacts(deps: StandingDeps, realm: RealmId, license: LicenseSnapshot) {
  const pending = deps.licenseUsage.pending(realm, license.id)?.uses ?? 0;
  const { status, expiresAt } = license;
  return { status, expiresAt, uses: license.uses + pending };
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
  realm: RealmId,
  { machine, componentsMatch }: Recognised,
): DecidingMachine {
  const heartbeat = deps.machineUsage.pending(realm, machine.id)?.heartbeat;
  return { alive: machine.alive === 1, lastSeenAt: heartbeat?.at ?? lastSeenAt(machine), componentsMatch };
}
