import type { Permit } from '../../access/index.ts';
import { Fault } from '../../faults.ts';
import type { EpochMs } from '../../lib/clock.ts';
import { invariant, present } from '../../lib/invariant.ts';
import { equalBytes } from '../../lib/secret.ts';
import { append } from '../../ledger/append.ts';
import type { Tx } from '../../storage/tx.ts';
import { countDay, dayOf } from '../analytics/day-count-store.ts';
import { firstActivation, type StartTermDeps } from '../licenses/start-term.ts';
import { type Refusal, refusal } from '../refusal.ts';
import { blockedBy } from '../validation/decide.ts';
import type { Standing } from '../validation/standing.ts';
import { insertComponent } from './component-store.ts';
import { claimFingerprint, fingerprintsEver, hadFingerprint } from './fingerprint-store.ts';
import { heartbeatPatienceMs } from './heartbeat-rule.ts';
import { bookHolderChange, refuseHolderChange } from './holder-changes.ts';
import { machineEvent } from './machine-event.ts';
import { findMachine, insertMachine } from './machine-store.ts';
import { machineDecides, type MachineSnapshot } from './machine.ts';
import type { PreparedMachine } from './prepare-activation.ts';
import { refuseFingerprints } from './refuse-limit.ts';
import { takeSeat, type TakeSeatDeps } from './take-seat.ts';
import { isActiveElsewhere } from './uniqueness-store.ts';
import { countedUser } from './user-seat-store.ts';

/** What claiming a seat needs. */
export interface ClaimDeps extends TakeSeatDeps, StartTermDeps {}

/** The machine, and whether this unit stored it. */
export interface Claimed {
  readonly machine: MachineSnapshot;
  readonly created: boolean;
}

/** A machine that wants a seat, and the licence it wants it of. */
interface Claiming {
  readonly permit: Permit;
  readonly prepared: PreparedMachine;
  readonly standing: Standing;
  /** What a term that waits for the first machine is counted from; default: the time of the unit. */
  readonly termFrom?: EpochMs;
}

/**
 * Activates a machine inside a unit of the caller: the one place where a machine is stored. What cannot be told from
 * versions (seats, uniqueness, distinct fingerprints) is decided here, inside the transaction.
 * @param claiming `standing` read in this very unit, with the machine of the prepared fingerprint and components
 * @returns a refusal as a value: the unit then commits the entry and the event that tell of it
 */
export function claimMachine(deps: ClaimDeps, tx: Tx, claiming: Claiming): Claimed | Refusal {
  const { prepared, standing } = claiming;
  if (standing.machine !== null) return sameMachine(standing, standing.machine, prepared);
  const blocked = blockedBy(standing.facts, tx.now);
  if (blocked !== null) return refusal(blocked, `licence ${standing.license.id} is ${blocked.toLowerCase()}`);
  const rows = tx.in(prepared.realm);
  const userIndex = countedUser(rows, standing.license.id, prepared.users);
  if (userIndex === null && standing.policy.machineLeasing === 'PER_USER') return userRequired();
  const enough = refuseHolderChange(deps, tx, claiming);
  if (enough !== null) return enough;
  const rejected = rejectFingerprint(deps, tx, claiming);
  if (rejected !== null) return rejected;
  const full = takeSeat(deps, tx, { ...claiming, userIndex });
  return full ?? store(deps, tx, { ...claiming, userIndex });
}

/** The same fingerprint again (or enough of the same components) is the same machine, unless it has another key. */
function sameMachine(
  { facts }: Standing,
  machine: MachineSnapshot,
  { row }: PreparedMachine,
): Claimed | Refusal {
  if (facts.machine?.componentsMatch !== true) {
    const message = `machine ${machine.id} has this fingerprint and other components; deactivate it first`;
    return refusal('FINGERPRINT_TAKEN', message);
  }
  const other =
    row.publicKey !== null && (machine.publicKey === null || !equalBytes(machine.publicKey, row.publicKey));
  if (!other) return { machine, created: false };
  return refusal(
    'MACHINE_KEY_MISMATCH',
    `machine ${machine.id} is registered with another key, or with none`,
  );
}

/** Where seats are counted per user, a machine has one. */
export function userRequired(): Refusal {
  const message = 'userEmail is required: the policy counts seats per user';
  const errors = [{ path: 'userEmail', code: 'REQUIRED', message }];
  return { refused: new Fault('VALIDATION_FAILED', message, { errors }) };
}

function rejectFingerprint(deps: ClaimDeps, tx: Tx, { prepared, standing }: Claiming): Refusal | null {
  const { license, policy } = standing;
  const reader = tx.in(prepared.realm);
  const { id, policyId, productId } = license;
  const scope = { kind: policy.fingerprintUniqueness, licenseId: id, policyId, productId };
  if (isActiveElsewhere(reader, scope, prepared.digests)) {
    return refusal(
      'FINGERPRINT_TAKEN',
      'this machine is active under another licence; the policy allows it once',
    );
  }
  const cap = policy.maxUniqueFingerprints;
  if (cap === null || hadFingerprint(reader, id, prepared.digests)) return null;
  const fingerprints = fingerprintsEver(reader, id);
  return fingerprints < cap ? null : refuseFingerprints(deps, tx, { standing, cap, fingerprints });
}

interface Storing extends Claiming {
  readonly userIndex: Buffer | null;
}

function store(deps: ClaimDeps, tx: Tx, storing: Storing): Claimed {
  const { prepared, standing, userIndex, termFrom = tx.now } = storing;
  const { realm, row, components, digests } = prepared;
  const rows = tx.in(realm);
  const cap = standing.policy.maxUniqueFingerprints;
  invariant(claimFingerprint(rows, row.licenseId, { digests, cap }), 'there was room for it in this unit');
  insertMachine(
    rows,
    { ...row, userIndex, productId: standing.license.productId },
    { now: tx.now, heartbeatDue: firstHeartbeatDue(standing, tx.now) },
  );
  bookHolderChange(tx, storing);
  countDay(rows, { kind: 'activation', day: dayOf(tx.now), name: '' }, 1);
  for (const component of components) insertComponent(rows, row, component);
  const machine = present(findMachine(rows, row.id), 'a machine that was just stored is there');
  const target = { kind: 'machine', id: machine.id };
  append(tx, { realm, action: 'machine.activated', target, after: machineDecides(machine) });
  deps.outbox.emit(tx, { type: 'machine.activated', realm, data: machineEvent(machine) });
  firstActivation(deps, tx, { standing, from: termFrom });
  tx.afterCommit(() => {
    deps.limitNotices.forget(realm, machine.licenseId);
  });
  return { machine, created: true };
}

function firstHeartbeatDue({ policy }: Standing, now: EpochMs): EpochMs | null {
  return policy.requireHeartbeat ? now + heartbeatPatienceMs(policy.heartbeatIntervalMinutes) : null;
}
