import type { RealmId } from '../../storage/realm-scope.ts';
import { type QueryBuilder, statement } from '../../storage/statement.ts';
import type { RealmReader } from '../../storage/tx.ts';

/** Living machines with a fingerprint under another licence, with that licence. */
function sameElsewhere(db: QueryBuilder, p: { realm: RealmId; licenseId: string; hash: Buffer }) {
  return db
    .selectFrom('machines as m')
    .innerJoin('licenses as l', (join) =>
      join.onRef('l.realm_id', '=', 'm.realm_id').onRef('l.id', '=', 'm.license_id'),
    )
    .select('m.id as id')
    .where('m.realm_id', '=', p.realm)
    .where('m.fingerprint_hash', '=', p.hash)
    .where('m.license_id', '!=', p.licenseId)
    .where('m.deleted_at', 'is', null)
    .limit(1);
}

const IN_REALM = statement<{ licenseId: string; hash: Buffer }>()(sameElsewhere);

const IN_PRODUCT = statement<{ licenseId: string; hash: Buffer; productId: string }>()((db, p) =>
  sameElsewhere(db, p).where('l.product_id', '=', p.productId),
);

const IN_POLICY = statement<{ licenseId: string; hash: Buffer; policyId: string }>()((db, p) =>
  sameElsewhere(db, p).where('l.policy_id', '=', p.policyId),
);

/** Living machines of a licence whose fingerprint lives under another licence too, with that licence. */
function sharedElsewhere(db: QueryBuilder, p: { realm: RealmId; licenseId: string }) {
  return db
    .selectFrom('machines as own')
    .innerJoin('machines as other', (join) =>
      join
        .onRef('other.realm_id', '=', 'own.realm_id')
        .onRef('other.fingerprint_hash', '=', 'own.fingerprint_hash'),
    )
    .innerJoin('licenses as l', (join) =>
      join.onRef('l.realm_id', '=', 'other.realm_id').onRef('l.id', '=', 'other.license_id'),
    )
    .select('own.id as id')
    .where('own.realm_id', '=', p.realm)
    .where('own.license_id', '=', p.licenseId)
    .where('own.deleted_at', 'is', null)
    .where('other.license_id', '!=', p.licenseId)
    .where('other.deleted_at', 'is', null)
    .limit(1);
}

const SHARED_IN_REALM = statement<{ licenseId: string }>()(sharedElsewhere);

const SHARED_IN_PRODUCT = statement<{ licenseId: string; productId: string }>()((db, p) =>
  sharedElsewhere(db, p).where('l.product_id', '=', p.productId),
);

const SHARED_IN_POLICY = statement<{ licenseId: string; policyId: string }>()((db, p) =>
  sharedElsewhere(db, p).where('l.policy_id', '=', p.policyId),
);

/** Within what one machine may be active only once, beyond its licence. */
export interface UniquenessScope {
  readonly kind: 'PER_LICENSE' | 'PER_POLICY' | 'PER_PRODUCT' | 'PER_REALM';
  readonly licenseId: string;
  readonly policyId: string;
  readonly productId: string;
}

/** Whether a machine with this fingerprint lives under another licence of the scope. */
export function isActiveElsewhere(
  reader: RealmReader,
  scope: UniquenessScope,
  digests: readonly { readonly digest: Buffer }[],
): boolean {
  return digests.some(({ digest }) => elsewhere(reader, scope, digest) !== undefined);
}

function elsewhere(reader: RealmReader, scope: UniquenessScope, hash: Buffer): { id: string } | undefined {
  const { kind, licenseId, policyId, productId } = scope;
  switch (kind) {
    case 'PER_LICENSE':
      return undefined; // the unique index of the table sees to that
    case 'PER_POLICY':
      return reader.get(IN_POLICY, { licenseId, hash, policyId });
    case 'PER_PRODUCT':
      return reader.get(IN_PRODUCT, { licenseId, hash, productId });
    case 'PER_REALM':
      return reader.get(IN_REALM, { licenseId, hash });
  }
}

/** The first living machine of the licence that lives under another licence of the scope too. */
export function machineActiveElsewhere(reader: RealmReader, scope: UniquenessScope): string | undefined {
  const { kind, licenseId, policyId, productId } = scope;
  switch (kind) {
    case 'PER_LICENSE':
      return undefined;
    case 'PER_POLICY':
      return reader.get(SHARED_IN_POLICY, { licenseId, policyId })?.id;
    case 'PER_PRODUCT':
      return reader.get(SHARED_IN_PRODUCT, { licenseId, productId })?.id;
    case 'PER_REALM':
      return reader.get(SHARED_IN_REALM, { licenseId })?.id;
  }
}
