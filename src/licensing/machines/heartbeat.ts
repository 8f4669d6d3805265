import type { Permit } from '../../access/index.ts';
import type { Outbox } from '../../delivery/outbox.ts';
import { Fault } from '../../faults.ts';
import { append } from '../../ledger/append.ts';
import { type EpochMs, isoTime } from '../../lib/clock.ts';
import { present } from '../../lib/invariant.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Reader, Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { holdsScope, realmOf } from '../caller.ts';
import { findLicense } from '../licenses/license-store.ts';
import type { PolicySettings } from '../policies/policy-settings.ts';
import type { Shown } from '../schema.ts';
import type { Components, PolicySource } from '../validation/standing.ts';
import { machineEvent } from './machine-event.ts';
import { machineNow } from './end-machine.ts';
import { heartbeatPatienceMs } from './heartbeat-rule.ts';
import { bookHeartbeat, storeAlive } from './machine-store.ts';
import type { MachineUsage } from './machine-usage.ts';
import { machineView, type MachineView, type MachineViewDeps } from './machine-view.ts';
import { machineDecides, type MachineSnapshot } from './machine.ts';
import { ownMachine } from './own-machine.ts';
import { componentsAgree, type RecogniseDeps } from './recognise.ts';

/** What taking heartbeats needs. */
export interface HeartbeatDeps extends MachineViewDeps, RecogniseDeps {
  readonly work: Pick<UnitOfWork, 'run' | 'read'>;
  readonly policies: PolicySource;
  readonly machineUsage: MachineUsage;
  readonly outbox: Outbox;
  readonly time: { now(): EpochMs };
  /** @throws the fault of a state of the appliance in which no heartbeat is taken */
  readonly admit: (activity: 'heartbeat') => void;
}

/** A machine after its heartbeat, and when the next one is due; null: none is asked for. */
export interface Beaten extends Shown<MachineView> {
  readonly heartbeatDueAt: string | null;
}

/** Which machine, and what it is made of, if it says so. */
export interface TakeHeartbeat {
  readonly id: string;
  readonly components?: Components | undefined;
}

/**
 * Takes a heartbeat. It is bookkeeping, written behind: a crash loses what came in the last second. Only a machine that
 * was dead and comes back changes its state, durably. One whose components are another machine's keeps nothing alive.
 * @throws Fault NOT_FOUND, FINGERPRINT_NOT_FOUND
 */
export async function takeHeartbeat(
  deps: HeartbeatDeps,
  permit: Permit,
  { id, components }: TakeHeartbeat,
): Promise<Beaten> {
  deps.admit('heartbeat');
  const realm = realmOf(permit);
  const machine = ownMachine(deps.work.read.in(realm), permit, id);
  const at = deps.time.now();
  const policy = policyOf(deps, deps.work.read, { realm, machine });
  if (components !== undefined) requireAgreement(deps, realm, { machine, policy, components });
  const due = dueAfter(policy, at);
  deps.machineUsage.add(realm, id, { heartbeat: { at, due }, validatedAt: null });
  const now = machine.alive === 1 ? machine : await revive(deps, permit, machine);
  const view = machineView(deps, now, { realm, reveal: holdsScope(permit, 'licenses:reveal') });
  return { view, version: now.version, heartbeatDueAt: due === null ? null : isoTime(due) };
}

/** When the next heartbeat is due; null: none is asked for. */
function dueAfter(policy: PolicySettings, at: EpochMs): EpochMs | null {
  return policy.requireHeartbeat ? at + heartbeatPatienceMs(policy.heartbeatIntervalMinutes) : null;
}

function policyOf(
  deps: HeartbeatDeps,
  source: Reader,
  { realm, machine }: { readonly realm: RealmId; readonly machine: MachineSnapshot },
): PolicySettings {
  const reader = source.in(realm);
  const license = present(findLicense(reader, machine.licenseId), 'a living machine has a living licence');
  return deps.policies.settings(reader, { realm, id: license.policyId, version: license.policyVersion });
}

interface Said {
  readonly machine: MachineSnapshot;
  readonly policy: PolicySettings;
  readonly components: Components;
}

function requireAgreement(deps: HeartbeatDeps, realm: RealmId, { machine, policy, components }: Said): void {
  const matching = policy.fingerprintMatching;
  const asking = { realm, matching, components, machineId: machine.id };
  if (componentsAgree(deps, deps.work.read.in(realm), asking)) return;
  throw new Fault('FINGERPRINT_NOT_FOUND', `these are not the components of machine ${machine.id}`);
}

async function revive(
  deps: HeartbeatDeps,
  permit: Permit,
  machine: MachineSnapshot,
): Promise<MachineSnapshot> {
  return deps.work.run(permit, (tx) => reviveIn(deps, tx, { realm: realmOf(permit), machine }));
}

/** By the policy as it is in this unit: it may have changed since the heartbeat came. */
function reviveIn(
  deps: HeartbeatDeps,
  tx: Tx,
  { realm, machine }: { readonly realm: RealmId; readonly machine: MachineSnapshot },
): MachineSnapshot {
  const { id } = machine;
  if (!storeAlive(tx.in(realm), { id, alive: true }, tx.now)) return machine;
  const due = dueAfter(policyOf(deps, tx, { realm, machine }), tx.now);
  bookHeartbeat(tx.in(realm), id, { at: tx.now, due });
  const after = machineNow(tx, realm, id);
  const [was, is] = [machineDecides(machine), machineDecides(after)];
  append(tx, { action: 'machine.revived', target: { kind: 'machine', id }, before: was, after: is });
  deps.outbox.emit(tx, { type: 'machine.heartbeat', realm, data: machineEvent(after) });
  return after;
}
