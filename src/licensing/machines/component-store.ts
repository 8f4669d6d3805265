import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';

/** A component as stored: the digest of name and value, never the value. */
export interface StoredComponent {
  readonly name: string;
  readonly valueHash: Buffer;
}

/** The machine a component belongs to, and its licence. */
export interface ComponentOwner {
  readonly id: string;
  readonly licenseId: string;
}

const INSERT = statement<StoredComponent & { machineId: string; licenseId: string; indexVersion: number }>()(
  (db, p) =>
    db.insertInto('machine_components').values({
      realm_id: p.realm,
      machine_id: p.machineId,
      license_id: p.licenseId,
      name: p.name,
      value_hash: p.valueHash,
      index_version: p.indexVersion,
    }),
);

const OF_MACHINE = statement<{ machineId: string }>()((db, p) =>
  db
    .selectFrom('machine_components')
    .select(['name', 'value_hash as valueHash'])
    .where('realm_id', '=', p.realm)
    .where('machine_id', '=', p.machineId),
);

const BY_VALUE = statement<{ licenseId: string; hash: Buffer; limit: number }>()((db, p) =>
  db
    .selectFrom('machine_components')
    .select('machine_id as machineId')
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('value_hash', '=', p.hash)
    .where('living', '=', 1)
    .limit(p.limit),
);

const SET_LIVING = statement<{ machineId: string; living: number }>()((db, p) =>
  db
    .updateTable('machine_components')
    .set({ living: p.living })
    .where('realm_id', '=', p.realm)
    .where('machine_id', '=', p.machineId),
);

/** Stores one component of a machine. */
export function insertComponent(
  tx: RealmTx,
  owner: ComponentOwner,
  component: StoredComponent & { readonly indexVersion: number },
): void {
  tx.run(INSERT, { machineId: owner.id, licenseId: owner.licenseId, ...component });
}

/** The components of a machine. */
export function componentsOf(reader: RealmReader, machineId: string): StoredComponent[] {
  return reader.all(OF_MACHINE, { machineId });
}

/** Ids of living machines of one licence with this component, at most `limit`. By index; other licences are not seen. */
export function machinesWithComponent(
  reader: RealmReader,
  licenseId: string,
  component: { readonly hash: Buffer; readonly limit: number },
): string[] {
  return reader.all(BY_VALUE, { licenseId, ...component }).map(({ machineId }) => machineId);
}

/** Whether machines are found by their components: those that were removed are not, those that come back are again. */
export function setComponentsLiving(
  tx: RealmTx,
  machine: { readonly id: string; readonly living: boolean },
): void {
  tx.run(SET_LIVING, { machineId: machine.id, living: Number(machine.living) });
}
