import type { EpochMs } from '../../lib/clock.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';
import { MACHINE_COLUMNS } from './machine-store.ts';
import type { MachineSnapshot } from './machine.ts';

const GONE_WITH = statement<{ licenseId: string }>()((db, p) =>
  db
    .selectFrom('machines as m')
    .innerJoin('machine_usage as u', (join) =>
      join.onRef('u.realm_id', '=', 'm.realm_id').onRef('u.machine_id', '=', 'm.id'),
    )
    .select(MACHINE_COLUMNS)
    .where('m.realm_id', '=', p.realm)
    .where('m.license_id', '=', p.licenseId)
    .where('m.deleted_at', 'is not', null)
    .where('m.deleted_with_license', 'is not', null)
    .where('m.purged_at', 'is', null)
    .orderBy('m.seq'),
);

const REVIVE = statement<{ id: string; now: EpochMs }>()((db, p) =>
  db
    .updateTable('machines')
    .set((eb) => ({
      deleted_at: null,
      deleted_with_license: null,
      seat_held_until: null,
      updated_at: p.now,
      version: eb('version', '+', 1),
    }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('deleted_at', 'is not', null)
    .where('purged_at', 'is', null),
);

const LEAVE = statement<{ licenseId: string }>()((db, p) =>
  db
    .updateTable('machines')
    .set({ deleted_with_license: null })
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('deleted_at', 'is not', null)
    .where('deleted_with_license', 'is not', null),
);

/** The machines that went when their licence was deleted, and are not purged: the oldest first. */
export function machinesGoneWith(reader: RealmReader, licenseId: string): MachineSnapshot[] {
  return reader.all(GONE_WITH, { licenseId });
}

/** Brings a machine back. It has its seat: held until now, or claimed in the same unit. False: it is not there to be brought back. */
export function reviveMachine(tx: RealmTx, id: string, now: EpochMs): boolean {
  return tx.run(REVIVE, { id, now }).changes === 1;
}

/** Leaves the machines of a licence that came back without them for good. */
export function leaveMachines(tx: RealmTx, licenseId: string): void {
  tx.run(LEAVE, { licenseId });
}
