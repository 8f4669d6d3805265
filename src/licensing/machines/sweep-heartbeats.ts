import { append } from '../../ledger/append.ts';
import type { EpochMs } from '../../lib/clock.ts';
import { present } from '../../lib/invariant.ts';
import type { Random } from '../../lib/random.ts';
import { newId } from '../../lib/ulid.ts';
import type { Authority } from '../../storage/journal.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { findLicense } from '../licenses/license-store.ts';
import type { PolicySettings } from '../policies/policy-settings.ts';
import type { PolicySource } from '../validation/standing.ts';
import { bookHeartbeats } from './book-heartbeats.ts';
import { machineEvent } from './machine-event.ts';
import { endMachine, type EndMachineDeps, machineNow } from './end-machine.ts';
import { heartbeatPatienceMs, isDead } from './heartbeat-rule.ts';
import { findMachine, storeAlive } from './machine-store.ts';
import type { MachineUsage } from './machine-usage.ts';
import { lastSeenAt, machineDecides, type MachineSnapshot } from './machine.ts';
import { HoldCount, holdSweep, SWEEP_JOB, type SweepHolds } from './sweep-hold.ts';
import { livingMachines, type OverdueMachine, overdueMachines, rescheduleHeartbeat } from './sweep-store.ts';

/** What the sweep needs. */
export interface SweepDeps extends EndMachineDeps {
  readonly work: Pick<UnitOfWork, 'run' | 'keep' | 'read'>;
  readonly policies: PolicySource;
  readonly machineUsage: Pick<MachineUsage, 'pending' | 'flush'>;
  readonly random: Random;
  readonly time: { now(): EpochMs };
  /** Since when this appliance takes heartbeats: time when it was down counts for nobody. */
  readonly readyAt: () => EpochMs;
  /** The realms of all tenants. */
  readonly realms: () => readonly RealmId[];
}

/** What one run did. */
export interface Swept {
  readonly dead: number;
  /** Realms in which the sweep was held: it would have hit too many at once. */
  readonly held: number;
}

/** Machines read at a time, and ended in one unit: other writers are let in between. */
const PAGE = 500;
const PER_UNIT = 50;

/**
 * Ends (`DEACTIVATE_DEAD`) or marks (`KEEP_DEAD`) the machines that have not sent their heartbeat. Idempotent: each is
 * judged again in the unit that changes it. A sweep that would hit more than 5 % and more than 20 machines of a realm is
 * held instead, until an operator releases it: so many do not die at once, something else is wrong. Of one licence only a
 * few count.
 */
export async function sweepHeartbeats(deps: SweepDeps, holds: SweepHolds): Promise<Swept> {
  await deps.machineUsage.flush();
  let dead = 0;
  let held = 0;
  for (const realm of deps.realms()) {
    await bookHeartbeats(deps, realm);
    const found = await findDead(deps, realm);
    const living = livingMachines(deps.work.read.in(realm));
    const { counted } = found.count;
    if (await holdSweep(deps, holds, { realm, dead: found.ids.length, counted, living })) held += 1;
    else dead += await endAll(deps, realm, found.ids);
  }
  return { dead, held };
}

interface Dead {
  readonly ids: readonly string[];
  readonly count: HoldCount;
}

/** The dead; whoever is only overdue by an older rule is booked anew. */
async function findDead(deps: SweepDeps, realm: RealmId): Promise<Dead> {
  const ids: string[] = [];
  const count = new HoldCount();
  const now = deps.time.now();
  let after = { due: 0, id: '' };
  for (;;) {
    const page = overdueMachines(deps.work.read.in(realm), { now, after, limit: PAGE });
    const judged = page.map((machine) => ({ machine, due: dueNow(deps, realm, machine) }));
    const alive = judged.filter(({ due }) => due === null || due >= now);
    await reschedule(deps, realm, alive);
    for (const { machine, due } of judged) {
      if (due === null || due >= now) continue;
      ids.push(machine.id);
      count.add(machine.licenseId);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return { ids, count };
    after = { due: present(last.due, 'an overdue heartbeat was due'), id: last.id };
  }
}

/** When the machine counts as dead, by its policy of now; null: no heartbeat is asked for any more. */
function dueNow(deps: SweepDeps, realm: RealmId, machine: OverdueMachine): EpochMs | null {
  const reader = deps.work.read.in(realm);
  const { policyId: id, policyVersion: version } = machine;
  const policy = deps.policies.settings(reader, { realm, id, version });
  if (!policy.requireHeartbeat) return null;
  const seen = deps.machineUsage.pending(realm, machine.id)?.heartbeat?.at ?? lastSeenAt(machine);
  return Math.max(seen, deps.readyAt()) + heartbeatPatienceMs(policy.heartbeatIntervalMinutes);
}

async function reschedule(
  deps: SweepDeps,
  realm: RealmId,
  alive: readonly { readonly machine: OverdueMachine; readonly due: EpochMs | null }[],
): Promise<void> {
  if (alive.length === 0) return;
  await deps.work.keep(SWEEP_JOB, (tx) => {
    for (const { machine, due } of alive) rescheduleHeartbeat(tx.in(realm), machine.id, due);
  });
}

async function endAll(deps: SweepDeps, realm: RealmId, ids: readonly string[]): Promise<number> {
  let ended = 0;
  for (let at = 0; at < ids.length; at += PER_UNIT) {
    const slice = ids.slice(at, at + PER_UNIT);
    const authority = sweepAuthority(deps, realm);
    ended += await deps.work.run(
      authority,
      (tx) => slice.filter((id) => endIfDead(deps, tx, { realm, id })).length,
    );
  }
  return ended;
}

/** In whose name the sweep writes. */
export function sweepAuthority(
  { time, random }: Pick<SweepDeps, 'time' | 'random'>,
  realm: RealmId,
): Authority {
  const actor = { kind: 'system', id: SWEEP_JOB, via: 'job' } as const;
  return { actor, requestId: newId('request', time.now(), random), realm };
}

interface Suspect {
  readonly realm: RealmId;
  readonly id: string;
}

/** Judges one machine again inside the unit, and does what its policy says. */
function endIfDead(deps: SweepDeps, tx: Tx, { realm, id }: Suspect): boolean {
  const machine = findMachine(tx.in(realm), id);
  if (machine?.alive !== 1) return false;
  const policy = policyOf(deps, tx, { realm, machine });
  const pending = deps.machineUsage.pending(realm, id)?.heartbeat?.at;
  const facts = {
    lastSeenAt: pending ?? lastSeenAt(machine),
    readyAt: deps.readyAt(),
    intervalMinutes: policy.heartbeatIntervalMinutes,
  };
  if (!policy.requireHeartbeat || !isDead(facts, tx.now)) return false;
  deps.outbox.emit(tx, { type: 'machine.dead', realm, data: { ...machineEvent(machine), status: 'dead' } });
  if (policy.heartbeatCullStrategy === 'KEEP_DEAD') return markDead(tx, { realm, machine });
  return endMachine(deps, tx, { realm, machine, reason: 'dead' }) !== undefined;
}

function policyOf(
  deps: SweepDeps,
  tx: Tx,
  { realm, machine }: { readonly realm: RealmId; readonly machine: MachineSnapshot },
): PolicySettings {
  const license = present(
    findLicense(tx.in(realm), machine.licenseId),
    'a living machine has a living licence',
  );
  const { policyId: id, policyVersion: version } = license;
  return deps.policies.settings(tx.in(realm), { realm, id, version });
}

function markDead(
  tx: Tx,
  { realm, machine }: { readonly realm: RealmId; readonly machine: MachineSnapshot },
): boolean {
  const { id } = machine;
  storeAlive(tx.in(realm), { id, alive: false }, tx.now);
  rescheduleHeartbeat(tx.in(realm), id, null);
  const after = machineNow(tx, realm, id);
  const [was, is] = [machineDecides(machine), machineDecides(after)];
  append(tx, { realm, action: 'machine.dead', target: { kind: 'machine', id }, before: was, after: is });
  return true;
}
