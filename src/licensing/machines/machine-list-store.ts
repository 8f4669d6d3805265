import type { RealmReader } from '../../storage/tx.ts';
import { MACHINE_COLUMNS } from './machine-store.ts';
import type { MachineSnapshot } from './machine.ts';

/** Which living machines, and which part of them. */
export interface MachinePage {
  readonly licenseId: string | null;
  readonly productId: string | null;
  /** Digests of one fingerprint under every live index key. */
  readonly fingerprints: readonly Buffer[] | null;
  /** Only machines created before the one with this sort key. */
  readonly before: number;
  readonly limit: number;
}

/** Living machines of the realm, newest first. */
export function pageOfMachines(reader: RealmReader, page: MachinePage): MachineSnapshot[] {
  const { licenseId, productId, fingerprints, before, limit } = page;
  return reader.find((db, p) => {
    let query = db
      .selectFrom('machines as m')
      .innerJoin('machine_usage as u', (join) =>
        join.onRef('u.realm_id', '=', 'm.realm_id').onRef('u.machine_id', '=', 'm.id'),
      )
      .select(MACHINE_COLUMNS)
      .where('m.realm_id', '=', p.realm)
      .where('m.deleted_at', 'is', null)
      .where('m.seq', '<', before);
    if (licenseId !== null) query = query.where('m.license_id', '=', licenseId);
    if (productId !== null) query = query.where('m.product_id', '=', productId);
    if (fingerprints !== null) query = query.where('m.fingerprint_hash', 'in', fingerprints);
    return query.orderBy('m.seq', 'desc').limit(limit);
  });
}
