import { present } from '../lib/invariant.ts';
import { statement } from '../storage/statement.ts';
import type { RealmReader, RealmTx } from '../storage/tx.ts';

/** What was issued, and may be: all that decides whether a licence gets one more file today, in one read. */
export interface FileStanding {
  readonly tenantId: string;
  readonly tenantStatus: 'active' | 'suspended' | 'erased';
  readonly maxFilesPerDay: number | null;
  readonly maxRecords: number | null;
  readonly records: number | null;
  /** The day (since the epoch, UTC) that `tenantFiles` is of; counted while the tenant has a limit. */
  readonly tenantDay: number | null;
  readonly tenantFiles: number | null;
  /** The day on which the tenant's limit was last told of. */
  readonly tenantTold: number | null;
  /** The day that `holderFiles` is of: files that the holder of the licence was given. Null: there is no such licence. */
  readonly holderDay: number | null;
  readonly holderFiles: number | null;
  /** The day on which the holder's limit was last told of. */
  readonly toldDay: number | null;
}

const STANDING = statement<{ licenseId: string }>()((db, p) =>
  db
    .selectFrom('realms')
    .innerJoin('tenants', 'tenants.id', 'realms.tenant_id')
    .leftJoin('realm_counters as c', (join) => join.onRef('c.realm_id', '=', 'realms.realm_id'))
    .leftJoin('license_usage as u', (join) =>
      join.onRef('u.realm_id', '=', 'realms.realm_id').on('u.license_id', '=', p.licenseId),
    )
    .select([
      'tenants.id as tenantId',
      'tenants.status as tenantStatus',
      'tenants.max_files_per_day as maxFilesPerDay',
      'tenants.max_records as maxRecords',
      'c.records as records',
      'c.files_day as tenantDay',
      'c.files_today as tenantFiles',
      'c.files_told as tenantTold',
      'u.files_day as holderDay',
      'u.files_today as holderFiles',
      'u.files_told as toldDay',
    ])
    .where('realms.realm_id', '=', p.realm),
);

const COUNT = statement<{ day: number; limit: number }>()((db, p) =>
  db
    .insertInto('realm_counters')
    .values({ realm_id: p.realm, files_day: p.day, files_today: 1 })
    .onConflict((conflict) =>
      conflict
        .column('realm_id')
        .doUpdateSet((eb) => ({
          files_day: p.day,
          files_today: eb
            .case()
            .when('realm_counters.files_day', '=', p.day)
            .then(eb('realm_counters.files_today', '+', 1))
            .else(1)
            .end(),
        }))
        .where((eb) =>
          eb.or([
            eb('realm_counters.files_day', '!=', p.day),
            eb('realm_counters.files_today', '<', p.limit),
          ]),
        ),
    ),
);

const TELL = statement<{ licenseId: string; day: number }>()((db, p) =>
  db
    .updateTable('license_usage')
    .set({ files_told: p.day })
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('files_told', '!=', p.day),
);

const TELL_OF_TENANT = statement<{ day: number }>()((db, p) =>
  db
    .updateTable('realm_counters')
    .set({ files_told: p.day })
    .where('realm_id', '=', p.realm)
    .where('files_told', '!=', p.day),
);

/** What decides about files of a licence. */
export function readFileStanding(reader: RealmReader, licenseId: string): FileStanding {
  return present(reader.get(STANDING, { licenseId }), 'a realm with licences belongs to a tenant');
}

/**
 * Counts one file of the realm on a day by one conditional statement; false when there are `limit` (at least 1) of them
 * already.
 */
export function countTenantFile(
  tx: RealmTx,
  file: { readonly day: number; readonly limit: number },
): boolean {
  return tx.run(COUNT, file).changes === 1;
}

/** Notes that the holder's limit of a day is told of; false: it has been. */
export function tellOnce(tx: RealmTx, licenseId: string, day: number): boolean {
  return tx.run(TELL, { licenseId, day }).changes === 1;
}

/** Notes that the tenant's limit of a day is told of; false: it has been. */
export function tellOfTenantOnce(tx: RealmTx, day: number): boolean {
  return tx.run(TELL_OF_TENANT, { day }).changes === 1;
}
