import { statement } from '../../storage/statement.ts';
import type { RealmReader } from '../../storage/tx.ts';

interface Id {
  readonly id: string;
}

const PRODUCT = statement<Id>()((db, p) =>
  db.selectFrom('products').select('id as productId').where('realm_id', '=', p.realm).where('id', '=', p.id),
);

const POLICY = statement<Id>()((db, p) =>
  db
    .selectFrom('policies')
    .select('product_id as productId')
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id),
);

const LICENSE = statement<Id>()((db, p) =>
  db
    .selectFrom('licenses')
    .select('product_id as productId')
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id),
);

const MACHINE = statement<Id>()((db, p) =>
  db
    .selectFrom('machines as m')
    .innerJoin('licenses as l', (join) =>
      join.onRef('l.realm_id', '=', 'm.realm_id').onRef('l.id', '=', 'm.license_id'),
    )
    .select('l.product_id as productId')
    .where('m.realm_id', '=', p.realm)
    .where('m.id', '=', p.id),
);

const FILE = statement<Id>()((db, p) =>
  db
    .selectFrom('issued_files as f')
    .innerJoin('licenses as l', (join) =>
      join.onRef('l.realm_id', '=', 'f.realm_id').onRef('l.id', '=', 'f.license_id'),
    )
    .select('l.product_id as productId')
    .where('f.realm_id', '=', p.realm)
    .where('f.id', '=', p.id),
);

/** Which statement finds the product of an id, by its prefix. */
const BY_PREFIX = { prod: PRODUCT, pol: POLICY, lic: LICENSE, mach: MACHINE, file: FILE } as const;

/** The product that an id belongs to (a product's own is itself), deleted or not; undefined: there is no such row. */
export function productOf(reader: RealmReader, id: string): string | undefined {
  const prefix = id.slice(0, id.indexOf('_'));
  const found = Object.hasOwn(BY_PREFIX, prefix) ? BY_PREFIX[prefix as keyof typeof BY_PREFIX] : undefined; // just looked up
  return found === undefined ? undefined : reader.get(found, { id })?.productId;
}
