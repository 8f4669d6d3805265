import { isDeepStrictEqual } from 'node:util';
import { type Permit, saysTheSame } from '../../access/index.ts';
import type { KeyedDigest, Sealer } from '../../custody/sealer.ts';
import { append } from '../../ledger/append.ts';
import { invariant } from '../../lib/invariant.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { holdsScope, realmOf } from '../caller.ts';
import { refuseCardData } from '../metadata.ts';
import { type Outcome, requireVersion, settle, STALE } from '../refusal.ts';
import type { Guarded, Shown } from '../schema.ts';
import type { Challenges } from './challenges.ts';
import { changeUser, type ChangeUserDeps, standingOf } from './change-user.ts';
import { bookHolderChange, refuseHolderChange } from './holder-changes.ts';
import { machineNow } from './end-machine.ts';
import type { MachinePatch } from './machine-schema.ts';
import { openMachinePersonal, sealMachinePersonal, userDigests } from './machine-sealing.ts';
import { editMachine, findMachine, type MachineEdit } from './machine-store.ts';
import { machineView, type MachineView, type MachineViewDeps } from './machine-view.ts';
import { machineDecides, type MachineSnapshot } from './machine.ts';
import { ownMachine, requireMachineSignature, requireSameSigner, type SignedRequest } from './own-machine.ts';

/** What changing a machine needs. */
export interface UpdateMachineDeps extends MachineViewDeps, ChangeUserDeps {
  readonly work: Pick<UnitOfWork, 'run' | 'read'>;
  readonly challenges: Challenges;
}

/** Which machine, which versions of it the caller accepts, what to change, and the machine's signature if it has a key. */
export interface UpdateMachine extends Guarded {
  readonly id: string;
  readonly change: MachinePatch;
  readonly signed: SignedRequest | null;
}

/**
 * Changes what is said of a machine; members that are absent stay. Its fingerprint and key are not said, they are proven.
 * Another `userEmail` moves its seat to that user. The holder of the licence changes a machine that has a key only together
 * with it: with the licence key alone he would rename it, or take its seat to another user.
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED, CONFLICT, CARD_DATA_REFUSED, MACHINE_SIGNATURE_REQUIRED; CHANGE_LIMIT_EXCEEDED;
 *   where seats are counted per user MACHINE_LIMIT_EXCEEDED, and VALIDATION_FAILED without a user
 */
export async function updateMachine(
  deps: UpdateMachineDeps,
  permit: Permit,
  request: UpdateMachine,
): Promise<Shown<MachineView>> {
  const realm = realmOf(permit);
  const { name, hostname, metadata, userEmail } = request.change;
  refuseCardData({ name, hostname, metadata });
  const users = userEmail === undefined ? undefined : usersOf(deps, realm, userEmail);
  const reader = deps.work.read.in(realm);
  const asked = { machine: ownMachine(reader, permit, request.id), signed: request.signed };
  const seen = requireMachineSignature(deps, permit, asked);
  return settle(`machine ${request.id}`, async () => {
    const machine = ownMachine(reader, permit, request.id);
    requireSameSigner(permit, machine, seen);
    requireVersion(`machine ${machine.id}`, machine.version, request.versions);
    const edit = edited(deps.sealer, realm, { machine, change: request.change });
    if (saysTheSame(machine, { ...machine, ...edit })) return { done: shownMachine(deps, permit, machine) };
    return deps.work.run(permit, (tx) => store(deps, tx, { permit, machine, edit, users }));
  });
}

function usersOf(
  { indexer }: UpdateMachineDeps,
  realm: RealmId,
  address: string | null,
): readonly KeyedDigest[] {
  return address === null ? [] : userDigests(indexer, realm, address);
}

interface Storing {
  readonly permit: Permit;
  readonly machine: MachineSnapshot;
  readonly edit: Omit<MachineEdit, 'userIndex'>;
  /** undefined: the user stays. */
  readonly users: readonly KeyedDigest[] | undefined;
}

function store(deps: UpdateMachineDeps, tx: Tx, storing: Storing): Outcome<Shown<MachineView>> {
  const { permit, machine, edit, users } = storing;
  const realm = realmOf(permit);
  const { id, version } = machine;
  if (findMachine(tx.in(realm), id)?.version !== version) return STALE;
  const change = { permit, standing: standingOf(deps, tx, { realm, machine }) };
  const enough = refuseHolderChange(deps, tx, change);
  if (enough !== null) return enough;
  const user = users === undefined ? machine : changeUser(deps, tx, { realm, machine, users });
  if ('refused' in user) return user;
  const { userIndex } = user;
  const stored = editMachine(tx.in(realm), { id, version, ...edit, userIndex }, tx.now);
  invariant(stored, 'a machine has the version that this unit found');
  bookHolderChange(tx, change);
  const after = machineNow(tx, realm, id);
  const [was, is] = [machineDecides(machine), machineDecides(after)];
  append(tx, { action: 'machine.updated', target: { kind: 'machine', id }, before: was, after: is });
  const done = shownMachine(deps, permit, after);
  permit.remember(tx, done);
  return { done };
}

function shownMachine(deps: UpdateMachineDeps, permit: Permit, machine: MachineSnapshot): Shown<MachineView> {
  const reveal = holdsScope(permit, 'licenses:reveal');
  const view = machineView(deps, machine, { realm: realmOf(permit), reveal });
  return { view, version: machine.version };
}

function edited(
  sealer: Sealer,
  realm: RealmId,
  given: { readonly machine: MachineSnapshot; readonly change: MachinePatch },
): Storing['edit'] {
  const { machine, change } = given;
  const was = openMachinePersonal(sealer, realm, machine);
  const personal = {
    name: change.name === undefined ? was.name : change.name,
    hostname: change.hostname === undefined ? was.hostname : change.hostname,
    userEmail: change.userEmail === undefined ? was.userEmail : change.userEmail,
    metadata: change.metadata ?? was.metadata,
  };
  return {
    platform: change.platform === undefined ? machine.platform : change.platform,
    cores: change.cores === undefined ? machine.cores : change.cores,
    personal: isDeepStrictEqual(was, personal)
      ? machine.personal
      : sealMachinePersonal(sealer, { realm, id: machine.id }, personal),
  };
}
