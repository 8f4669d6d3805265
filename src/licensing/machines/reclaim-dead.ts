import type { EpochMs } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Tx } from '../../storage/tx.ts';
import type { PolicySettings } from '../policies/policy-settings.ts';
import { endMachine, type EndMachineDeps } from './end-machine.ts';
import { isDead } from './heartbeat-rule.ts';
import { machineEvent } from './machine-event.ts';
import { digestsOfMachine } from './machine-sealing.ts';
import { findMachine, newestFileExpiry } from './machine-store.ts';
import type { MachineUsage } from './machine-usage.ts';
import { lastSeenAt, type MachineSnapshot } from './machine.ts';
import { HoldCount, isHeldIn, mostAtOnce, SWEEP_JOB } from './sweep-hold.ts';
import { livingMachines, overdueInRealm, overdueOf } from './sweep-store.ts';

/** What reclaiming needs. */
export interface ReclaimDeps extends EndMachineDeps {
  readonly machineUsage: Pick<MachineUsage, 'pending'>;
  /** Since when this appliance takes heartbeats. */
  readonly readyAt: () => EpochMs;
  /** True while acts that cannot be undone may run: the appliance is ready and its clock beyond suspicion. */
  readonly mayEnd: () => boolean;
}

/** Whose dead machines may give their seat to another: the licence's, or only this user's. */
export interface Reclaiming {
  readonly realm: RealmId;
  readonly licenseId: string;
  readonly userIndex: Buffer | null;
  readonly policy: PolicySettings;
}

/** Overdue machines that one activation looks at; the sweep of the next minute finds the rest. */
const LOOKED_AT = 16;
/** Overdue heartbeats that are looked at, at most: with more, the sweep of the next minute decides. */
const COUNTED_MOST = 1000;

/**
 * Ends dead machines of a licence, one by one, until `enough` says so: a pod that comes back under another fingerprint
 * gets the seat of the one that died, without waiting for the sweep. It is the act of the sweep, under the sweep's rules:
 * only `DEACTIVATE_DEAD`, only with a clock beyond suspicion, not while so many are overdue that the sweep would be held.
 * Machines with a file outstanding are left to the sweep: they can still run.
 * @returns what `enough` said last; false when nobody was dead
 */
export function reclaimDead(
  deps: ReclaimDeps,
  tx: Tx,
  { of, enough }: { readonly of: Reclaiming; readonly enough: () => boolean },
): boolean {
  const { requireHeartbeat, heartbeatCullStrategy } = of.policy;
  if (!requireHeartbeat || heartbeatCullStrategy !== 'DEACTIVATE_DEAD') return false;
  const overdue = overdueOf(tx.in(of.realm), of, { now: tx.now, limit: LOOKED_AT });
  if (overdue.length === 0 || !mayReclaim(deps, tx, of.realm)) return false;
  for (const id of overdue) {
    const machine = findMachine(tx.in(of.realm), id);
    if (machine === undefined || !isReclaimable(deps, tx, { of, machine })) continue;
    end(deps, tx, { of, machine });
    if (enough()) return true;
  }
  return false;
}

function mayReclaim({ mayEnd }: ReclaimDeps, tx: Tx, realm: RealmId): boolean {
  if (!mayEnd() || isHeldIn(tx, { job: SWEEP_JOB }, realm)) return false;
  const overdue = overdueInRealm(tx.in(realm), { now: tx.now, limit: COUNTED_MOST + 1 });
  if (overdue.length > COUNTED_MOST) return false;
  const count = new HoldCount();
  for (const licenseId of overdue) count.add(licenseId);
  return count.counted <= mostAtOnce(livingMachines(tx.in(realm)));
}

interface Suspect {
  readonly of: Reclaiming;
  readonly machine: MachineSnapshot;
}

function isReclaimable(deps: ReclaimDeps, tx: Tx, { of, machine }: Suspect): boolean {
  const facts = {
    lastSeenAt: deps.machineUsage.pending(of.realm, machine.id)?.heartbeat?.at ?? lastSeenAt(machine),
    readyAt: deps.readyAt(),
    intervalMinutes: of.policy.heartbeatIntervalMinutes,
  };
  if (!isDead(facts, tx.now)) return false;
  const newest = newestFileExpiry(
    tx.in(of.realm),
    machine.licenseId,
    digestsOfMachine(deps, of.realm, machine),
  );
  return newest === undefined || newest <= tx.now;
}

function end(deps: ReclaimDeps, tx: Tx, { of, machine }: Suspect): void {
  const { realm } = of;
  deps.outbox.emit(tx, { type: 'machine.dead', realm, data: { ...machineEvent(machine), status: 'dead' } });
  endMachine(deps, tx, { realm, machine, reason: 'dead' });
}
