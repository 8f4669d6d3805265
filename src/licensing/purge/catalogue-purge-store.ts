import type { EpochMs } from '../../lib/clock.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';
import type { Part } from './part.ts';
import { detachAllFromPolicy } from '../policies/policy-entitlement-store.ts';
import { dropKeysOf } from '../products/metadata-key-store.ts';

interface Due extends Part {
  readonly cutoff: EpochMs;
}

const POLICIES = statement<Due>()((db, p) =>
  db
    .selectFrom('policies as x')
    .select('x.id as id')
    .where('x.realm_id', '=', p.realm)
    .where('x.deleted_at', '<=', p.cutoff)
    .where('x.deleted_at', 'is not', null)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('licenses as l')
            .select('l.id')
            .whereRef('l.realm_id', '=', 'x.realm_id')
            .whereRef('l.policy_id', '=', 'x.id'),
        ),
      ),
    )
    .orderBy('x.deleted_at')
    .limit(p.limit)
    .offset(p.skip),
);

const PRODUCTS = statement<Due>()((db, p) =>
  db
    .selectFrom('products as x')
    .select('x.id as id')
    .where('x.realm_id', '=', p.realm)
    .where('x.deleted_at', '<=', p.cutoff)
    .where('x.deleted_at', 'is not', null)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('policies as o')
            .select('o.id')
            .whereRef('o.realm_id', '=', 'x.realm_id')
            .whereRef('o.product_id', '=', 'x.id'),
        ),
      ),
    )
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('licenses as l')
            .select('l.id')
            .whereRef('l.realm_id', '=', 'x.realm_id')
            .whereRef('l.product_id', '=', 'x.id'),
        ),
      ),
    )
    .orderBy('x.deleted_at')
    .limit(p.limit)
    .offset(p.skip),
);

const ENTITLEMENTS = statement<Due>()((db, p) =>
  db
    .selectFrom('entitlements as x')
    .select('x.id as id')
    .where('x.realm_id', '=', p.realm)
    .where('x.deleted_at', '<=', p.cutoff)
    .where('x.deleted_at', 'is not', null)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('policy_entitlements as o')
            .select('o.policy_id')
            .whereRef('o.realm_id', '=', 'x.realm_id')
            .whereRef('o.entitlement_id', '=', 'x.id'),
        ),
      ),
    )
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('license_entitlements as o')
            .select('o.license_id')
            .whereRef('o.realm_id', '=', 'x.realm_id')
            .whereRef('o.entitlement_id', '=', 'x.id'),
        ),
      ),
    )
    .orderBy('x.deleted_at')
    .limit(p.limit)
    .offset(p.skip),
);

const DELETE_POLICY = statement<{ id: string }>()((db, p) =>
  db.deleteFrom('policies').where('realm_id', '=', p.realm).where('id', '=', p.id),
);

const DELETE_SEATS = statement<{ id: string }>()((db, p) =>
  db.deleteFrom('product_seats').where('realm_id', '=', p.realm).where('product_id', '=', p.id),
);

const DELETE_PRODUCT = statement<{ id: string }>()((db, p) =>
  db.deleteFrom('products').where('realm_id', '=', p.realm).where('id', '=', p.id),
);

const DELETE_ENTITLEMENT = statement<{ id: string }>()((db, p) =>
  db.deleteFrom('entitlements').where('realm_id', '=', p.realm).where('id', '=', p.id),
);

const LIVING_POLICIES = statement()((db, p) =>
  db
    .selectFrom('policies')
    .select((eb) => eb.fn.countAll<number>().as('rows'))
    .where('realm_id', '=', p.realm)
    .where('deleted_at', 'is', null),
);

const LIVING_PRODUCTS = statement()((db, p) =>
  db
    .selectFrom('products')
    .select((eb) => eb.fn.countAll<number>().as('rows'))
    .where('realm_id', '=', p.realm)
    .where('deleted_at', 'is', null),
);

const LIVING_ENTITLEMENTS = statement()((db, p) =>
  db
    .selectFrom('entitlements')
    .select((eb) => eb.fn.countAll<number>().as('rows'))
    .where('realm_id', '=', p.realm)
    .where('deleted_at', 'is', null),
);

const idsOf = (rows: readonly { readonly id: string }[]): string[] => rows.map(({ id }) => id);

/** Policies deleted by `cutoff` that no licence follows any more, deleted ones included. */
export const duePolicies = (reader: RealmReader, due: Due): string[] => idsOf(reader.all(POLICIES, due));

/** Products deleted by `cutoff` that have neither policies nor licences any more, deleted ones included. */
export const dueProducts = (reader: RealmReader, due: Due): string[] => idsOf(reader.all(PRODUCTS, due));

/** Entitlements deleted by `cutoff` that nothing has any more, deleted policies and licences included. */
export const dueEntitlements = (reader: RealmReader, due: Due): string[] =>
  idsOf(reader.all(ENTITLEMENTS, due));

/** How many policies live. */
export const livingPolicies = (reader: RealmReader): number => reader.get(LIVING_POLICIES, {})?.rows ?? 0;

/** How many products live. */
export const livingProducts = (reader: RealmReader): number => reader.get(LIVING_PRODUCTS, {})?.rows ?? 0;

/** How many entitlements live. */
export const livingEntitlementRows = (reader: RealmReader): number =>
  reader.get(LIVING_ENTITLEMENTS, {})?.rows ?? 0;

/** Deletes a policy that nothing names any more. */
export function removePolicyRow(tx: RealmTx, id: string): void {
  detachAllFromPolicy(tx, id);
  tx.run(DELETE_POLICY, { id });
}

/** Deletes a product that nothing names any more. */
export function removeProductRow(tx: RealmTx, id: string): void {
  dropKeysOf(tx, id);
  tx.run(DELETE_SEATS, { id });
  tx.run(DELETE_PRODUCT, { id });
}

/** Deletes an entitlement that nothing names any more. */
export function removeEntitlementRow(tx: RealmTx, id: string): void {
  tx.run(DELETE_ENTITLEMENT, { id });
}
