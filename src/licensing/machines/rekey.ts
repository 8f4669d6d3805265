import type { Permit } from '../../access/index.ts';
import { Fault } from '../../faults.ts';
import type { Outbox } from '../../delivery/outbox.ts';
import { append } from '../../ledger/append.ts';
import type { Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { holdsScope, realmOf } from '../caller.ts';
import { type Outcome, requireVersion, settle, STALE } from '../refusal.ts';
import type { Guarded, Shown } from '../schema.ts';
import type { StandingDeps } from '../validation/standing.ts';
import type { Challenges } from './challenges.ts';
import { standingOf } from './change-user.ts';
import { machineNow } from './end-machine.ts';
import { bookHolderChange, refuseHolderChange } from './holder-changes.ts';
import { readMachineKey, requirePossession } from './machine-key.ts';
import { openFingerprint } from './machine-sealing.ts';
import { findMachine, storeMachineKey } from './machine-store.ts';
import { machineView, type MachineView, type MachineViewDeps } from './machine-view.ts';
import { machineDecides, type MachineSnapshot } from './machine.ts';
import {
  holderOf,
  ownMachine,
  requireMachineSignature,
  requireSameSigner,
  type SignedRequest,
} from './own-machine.ts';

/** What giving a machine another key needs. */
export interface RekeyDeps extends MachineViewDeps, StandingDeps {
  readonly outbox: Outbox;
  readonly work: Pick<UnitOfWork, 'run' | 'read'>;
  readonly challenges: Challenges;
}

/** Which machine, its new key with the proof of possession (null: none any more), and the old key's signature. */
export interface RekeyMachine extends Guarded {
  readonly id: string;
  readonly publicKey: string | null;
  readonly proof: string | null;
  readonly signed: SignedRequest | null;
}

/**
 * Gives a machine another key. The publisher may always; the holder of the licence with a signature by the old key, and
 * so never a machine that has none: with the licence key alone he would take it over.
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED, CONFLICT, MACHINE_SIGNATURE_REQUIRED, INSUFFICIENT_SCOPE,
 *   VALIDATION_FAILED, CHANGE_LIMIT_EXCEEDED
 */
export async function rekeyMachine(
  deps: RekeyDeps,
  permit: Permit,
  request: RekeyMachine,
): Promise<Shown<MachineView>> {
  const realm = realmOf(permit);
  const reader = deps.work.read.in(realm);
  const found = ownMachine(reader, permit, request.id);
  requireOldKey(permit, found);
  const seen = requireMachineSignature(deps, permit, { machine: found, signed: request.signed });
  const publicKey = provenKey(openFingerprint(deps.sealer, realm, found), request);
  return settle(`machine ${request.id}`, async () => {
    const machine = ownMachine(reader, permit, request.id);
    requireOldKey(permit, machine);
    requireSameSigner(permit, machine, seen);
    requireVersion(`machine ${machine.id}`, machine.version, request.versions);
    return deps.work.run(permit, (tx) => store(deps, tx, { permit, machine, publicKey }));
  });
}

function requireOldKey(permit: Permit, { id, publicKey }: MachineSnapshot): void {
  if (holderOf(permit) === null || publicKey !== null) return;
  throw new Fault(
    'INSUFFICIENT_SCOPE',
    `machine ${id} has no key that could agree to another: have the publisher give it one`,
  );
}

function provenKey(fingerprint: string, { publicKey, proof }: RekeyMachine): Buffer | null {
  if (publicKey === null) return null;
  const key = readMachineKey(publicKey);
  requirePossession(key, fingerprint, proof);
  return key;
}

function store(
  deps: RekeyDeps,
  tx: Tx,
  given: { readonly permit: Permit; readonly machine: MachineSnapshot; readonly publicKey: Buffer | null },
): Outcome<Shown<MachineView>> {
  const { permit, machine, publicKey } = given;
  const realm = realmOf(permit);
  const { id } = machine;
  // The same version has the same key: who may was decided on what is written over.
  if (findMachine(tx.in(realm), id)?.version !== machine.version) return STALE;
  const change = { permit, standing: standingOf(deps, tx, { realm, machine }) };
  const enough = refuseHolderChange(deps, tx, change);
  if (enough !== null) return enough;
  bookHolderChange(tx, change);
  storeMachineKey(tx.in(realm), { id, publicKey }, tx.now);
  const after = machineNow(tx, realm, id);
  const [was, is] = [machineDecides(machine), machineDecides(after)];
  append(tx, { action: 'machine.rekeyed', target: { kind: 'machine', id }, before: was, after: is });
  const reveal = holdsScope(permit, 'licenses:reveal');
  const done = { view: machineView(deps, after, { realm, reveal }), version: after.version };
  permit.remember(tx, done);
  return { done };
}
