import type { Permit } from '../../access/index.ts';
import type { Sealer } from '../../custody/sealer.ts';
import { append } from '../../ledger/append.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { holdsScope, realmOf } from '../caller.ts';
import { refuseCardData } from '../metadata.ts';
import { requireVersion, settle, STALE } from '../refusal.ts';
import type { Guarded, Shown } from '../schema.ts';
import { machineNow } from './end-machine.ts';
import type { MachinePatch } from './machine-schema.ts';
import { openMachinePersonal, sealMachinePersonal } from './machine-sealing.ts';
import { editMachine, type MachineEdit } from './machine-store.ts';
import { machineView, type MachineView, type MachineViewDeps } from './machine-view.ts';
import { machineDecides, type MachineSnapshot } from './machine.ts';
import { ownMachine } from './own-machine.ts';

/** What changing a machine needs. */
export interface UpdateMachineDeps extends MachineViewDeps {
  readonly work: Pick<UnitOfWork, 'run' | 'read'>;
}

/** Which machine, which versions of it the caller accepts, and what to change. */
export interface UpdateMachine extends Guarded {
  readonly id: string;
  readonly change: MachinePatch;
}

/**
 * Changes what is said of a machine; members that are absent stay. Its fingerprint and key are not said, they are proven.
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED, CONFLICT, CARD_DATA_REFUSED
 */
export async function updateMachine(
  deps: UpdateMachineDeps,
  permit: Permit,
  request: UpdateMachine,
): Promise<Shown<MachineView>> {
  const realm = realmOf(permit);
  const { name, hostname, metadata } = request.change;
  refuseCardData({ name, hostname, metadata });
  return settle(`machine ${request.id}`, async () => {
    const machine = ownMachine(deps.work.read.in(realm), permit, request.id);
    requireVersion(`machine ${machine.id}`, machine.version, request.versions);
    const edit = edited(deps.sealer, realm, { machine, change: request.change });
    return deps.work.run(permit, (tx) => {
      const { id, version } = machine;
      if (!editMachine(tx.in(realm), { id, version, ...edit }, tx.now)) return STALE;
      const after = machineNow(tx, realm, id);
      const [was, is] = [machineDecides(machine), machineDecides(after)];
      append(tx, { action: 'machine.updated', target: { kind: 'machine', id }, before: was, after: is });
      const reveal = holdsScope(permit, 'licenses:reveal');
      const done = { view: machineView(deps, after, { realm, reveal }), version: after.version };
      permit.remember(tx, done);
      return { done };
    });
  });
}

function edited(
  sealer: Sealer,
  realm: RealmId,
  given: { readonly machine: MachineSnapshot; readonly change: MachinePatch },
): MachineEdit {
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
    personal: sealMachinePersonal(sealer, { realm, id: machine.id }, personal),
  };
}
