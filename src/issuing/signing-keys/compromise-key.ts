import { inState, type NewKey, NO_COPY, type SigningKey } from '../../custody/index.ts';
import { Fault } from '../../faults.ts';
import { type EpochMs, isoTime } from '../../lib/clock.ts';
import { present } from '../../lib/invariant.ts';
import { moveProducts } from '../../licensing/index.ts';
import type { Tx } from '../../storage/tx.ts';
import {
  type Changed,
  changeKeys,
  type KeyCaller,
  type KeyChange,
  type KeyDeps,
  keysOf,
} from './change-keys.ts';
import { type ChangedKey, changedKey } from './changed-keys.ts';
import { makeKey } from './generate-key.ts';
import { inPlace, type NamedKey, replaced, requireKey } from './key-plans.ts';

/** What declaring a key compromised needs. */
export interface CompromiseKeyDeps extends KeyDeps {
  /** Whether a checkpoint has carried the signatures of both ledger keys since the last one was rotated. */
  readonly ledgerHandedOver: () => boolean;
}

/** Which key may be in other hands, and since when. */
export interface CompromiseKey extends NamedKey {
  readonly since: EpochMs;
}

/** A key that signs no more, and what took its place. */
export interface CompromisedKey extends ChangedKey {
  /** Signs from now on; null: the key had no place to be taken. */
  readonly successor: SigningKey | null;
  /** Products whose files the successor signs from now on: their applications must know it. */
  readonly productsMoved: number;
}

const ANY_BUT_COMPROMISED = ['pending', 'active', 'retiring', 'retired'] as const;

/**
 * Declares a key compromised. In one unit: its state and since when, a successor that signs at once, the products that named it moved
 * to that one (the key may sign for nobody), and the bundle that says all this. The revocation list of its realm is made from the
 * state. What it signed before counts where that list affirms it.
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED, VALIDATION_FAILED; CONFLICT for a root without a standby and for the ledger key in
 *   force; as `changeKeys`
 */
export async function compromiseKey(
  deps: CompromiseKeyDeps,
  caller: KeyCaller,
  request: CompromiseKey,
): Promise<CompromisedKey> {
  const named = requireKey(deps.keyring.list(), request, ANY_BUT_COMPROMISED);
  requirePast(request.since, deps.time.now());
  const made = await successorOf(deps, named);
  return changeKeys(deps, caller, {
    tenantId: named.tenantId,
    plan: (keys, at) => plan(keys, { ...request, at, made }),
    commit: (tx, changed) => compromised(deps, tx, { changed, kid: request.kid }),
  });
}

function compromised(
  { keyring }: KeyDeps,
  tx: Tx,
  given: { readonly changed: Changed; readonly kid: string },
): CompromisedKey {
  const { key, bundleSeq } = changedKey(given.changed, given.kid);
  const { realm, purpose, kid, tenantId } = key;
  const successor = given.changed.keys.find(({ state }) => state === 'active') ?? null;
  const takes = successor ?? inPlace(keysOf(keyring, tenantId), key, 'active');
  const moves = realm !== null && purpose === 'license' && takes !== undefined;
  const productsMoved = moves ? moveProducts(tx, realm, { from: kid, to: takes.kid }) : 0;
  return { key, bundleSeq, successor, productsMoved };
}

/** A key in force needs a successor: one that was announced, or a new one. */
async function successorOf(deps: CompromiseKeyDeps, key: SigningKey): Promise<NewKey | null> {
  const handsOver = key.purpose === 'ledger' && (key.state === 'active' || !deps.ledgerHandedOver());
  if (handsOver) {
    throw new Fault('CONFLICT', 'this ledger key signs the change to the next one; rotate it first');
  }
  if (key.state !== 'active') return null;
  if (inPlace(keysOf(deps.keyring, key.tenantId), key, 'pending') !== undefined) return null;
  if (key.purpose === 'root') {
    throw new Fault(
      'CONFLICT',
      'there is no standby root that could say so; make one first: `mintmark trust standby`',
    );
  }
  const made = await makeKey(deps, key);
  // It has to sign at once: whoever has a second token copies it there afterwards, and is reminded until then.
  return { ...made, copy: made.copy ?? NO_COPY };
}

interface Planned extends CompromiseKey {
  readonly at: EpochMs;
  readonly made: NewKey | null;
}

function plan(keys: readonly SigningKey[], { at, made, ...request }: Planned): KeyChange {
  const { since } = request;
  const key = requireKey(keys, request, ANY_BUT_COMPROMISED);
  if (key.state !== 'active') return { changed: [inState(key, 'compromised', { now: at, since })] };
  const waiting = inPlace(keys, key, 'pending');
  if (waiting === undefined) {
    return replaced(key, present(made, 'a successor was made'), { to: 'compromised', at, since });
  }
  const [lost, next] = [
    inState(key, 'compromised', { now: at, since }),
    inState(waiting, 'active', { now: at }),
  ];
  return { changed: [lost, next] };
}

function requirePast(since: EpochMs, now: EpochMs): void {
  if (since <= now) return;
  throw new Fault('VALIDATION_FAILED', `since ${isoTime(since)} is in the future`);
}
