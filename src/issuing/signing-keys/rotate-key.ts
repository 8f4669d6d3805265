import type { NewKey, SigningKey } from '../../custody/index.ts';
import { Fault } from '../../faults.ts';
import type { EpochMs } from '../../lib/clock.ts';
import { present } from '../../lib/invariant.ts';
import { productsOfKey } from '../../licensing/index.ts';
import type { Tx } from '../../storage/tx.ts';
import { type Changed, changeKeys, type KeyCaller, type KeyChange, keysOf } from './change-keys.ts';
import { changedKey, type RotatedKey } from './changed-keys.ts';
import { makeSuccessor, type MakeKeyDeps } from './generate-key.ts';
import {
  activated,
  announced,
  inPlace,
  type NamedKey,
  replaced,
  requireConsequence,
  requireKey,
  requireNoneWaiting,
} from './key-plans.ts';
import { rotateLedgerKey, type RotateLedgerDeps } from './rotate-ledger-key.ts';

/** What rotation needs. */
export interface RotateKeyDeps extends MakeKeyDeps, RotateLedgerDeps {}

/** Which key gets a successor, and when that one signs. */
export interface RotateKey extends NamedKey {
  /** Now, with the consequence typed; else when it has been published for long enough. */
  readonly now: boolean;
  readonly confirm?: string | undefined;
}

/**
 * Gives an active key a successor. It is published at once and signs 90 days later (`leadMs`), or now. A root is replaced now: its
 * standby takes over if there is one, and the old root goes on signing bundles beside it. A ledger key hands over with one
 * checkpoint.
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED, CONFIRMATION_REQUIRED, CONFLICT; as `changeKeys`
 */
export async function rotateKey(
  deps: RotateKeyDeps,
  caller: KeyCaller,
  request: RotateKey,
): Promise<RotatedKey> {
  const old = requireKey(deps.keyring.list(), request, ['active']);
  if (old.purpose === 'ledger') return rotateLedgerKey(deps, caller, request);
  const plan = old.purpose === 'root' ? rootPlan : successorPlan;
  if (old.purpose !== 'root' && request.now) requireConsequence(request.confirm);
  const given = { ...request, leadMs: deps.leadMs };
  const made = await makeIfNeeded(deps, old);
  return changeKeys(deps, caller, {
    tenantId: old.tenantId,
    plan: (keys, at) => plan(keys, { ...given, at, made }),
    commit: (tx, changed) => rotated(tx, old, changed),
  });
}

/** A standby root is there; every other key has to be made. Refuses before it leaves a key that nobody will use. */
async function makeIfNeeded(deps: RotateKeyDeps, old: SigningKey): Promise<NewKey | null> {
  const keys = keysOf(deps.keyring, old.tenantId);
  if (old.purpose !== 'root') requireNoneWaiting(keys, old);
  else requireOneRootLeaving(keys, old);
  const standby = old.purpose === 'root' ? inPlace(keys, old, 'pending') : undefined;
  return standby === undefined ? makeSuccessor(deps, old) : null;
}

interface Planned extends NamedKey {
  readonly now: boolean;
  readonly at: EpochMs;
  readonly leadMs: number;
  readonly made: NewKey | null;
}

function successorPlan(keys: readonly SigningKey[], given: Planned): KeyChange {
  const old = requireKey(keys, given, ['active']);
  requireNoneWaiting(keys, old);
  const made = present(given.made, 'a successor was made');
  if (given.now) return replaced(old, made, { to: 'retiring', at: given.at });
  return announced(made, old, { from: given.at + given.leadMs, activates: true });
}

function rootPlan(keys: readonly SigningKey[], given: Planned): KeyChange {
  const old = requireKey(keys, given, ['active']);
  requireOneRootLeaving(keys, old);
  const standby = inPlace(keys, old, 'pending');
  if (standby !== undefined) return activated(keys, standby, given.at);
  return replaced(old, present(given.made, 'a root was made'), { to: 'retiring', at: given.at });
}

function rotated(tx: Tx, old: SigningKey, changed: Changed): RotatedKey {
  const successor = present(
    changed.keys.find(({ kid, state }) => kid !== old.kid && state !== 'retiring'),
    'a rotation has a successor',
  );
  const products = old.realm === null ? [] : productsOfKey(tx.in(old.realm), old.kid);
  return { ...changedKey(changed, successor.kid), replaces: old.kid, products };
}

/** A bundle has two signatures at most. */
function requireOneRootLeaving(keys: readonly SigningKey[], old: SigningKey): void {
  const leaving = keys.find((key) => key.purpose === 'root' && key.state === 'retiring');
  if (leaving === undefined || old.purpose !== 'root') return;
  throw new Fault(
    'CONFLICT',
    `root ${leaving.kid} is still retiring and signs every bundle; retire it first`,
  );
}
