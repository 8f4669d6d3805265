import { type RealmId, SYSTEM_REALM } from '../storage/realm-scope.ts';
import { statement } from '../storage/statement.ts';
import type { Reader, Tx } from '../storage/tx.ts';

/** Stands for the number of a realm that has none yet, where none will be read. */
export const UNNUMBERED: RealmId = SYSTEM_REALM;

/** A tenant as the publishing of its bundle sees it. */
export interface BundledTenant {
  readonly id: string;
  readonly code: string;
  /** Number of the newest bundle; 0 before the first. */
  readonly bundleSeq: number;
  /** The newest bundle, a JWS; null before the first. */
  readonly trustBundle: string | null;
  readonly version: number;
  readonly updatedAt: number;
}

const COLUMNS = [
  'id',
  'code',
  'bundle_seq as bundleSeq',
  'trust_bundle as trustBundle',
  'version',
  'updated_at as updatedAt',
] as const;

const BY_ID = statement<{ id: string }>()((db, p) =>
  db.selectFrom('tenants').select(COLUMNS).where('id', '=', p.id).where('status', '!=', 'erased'),
);

const BY_CODE = statement<{ code: string }>()((db, p) =>
  db.selectFrom('tenants').select(COLUMNS).where('code', '=', p.code).where('status', '!=', 'erased'),
);

const FIRST_TWO = statement()((db) =>
  db.selectFrom('tenants').select(COLUMNS).where('status', '!=', 'erased').orderBy('id').limit(2),
);

interface Stored {
  readonly id: string;
  readonly was: number;
  readonly seq: number;
  readonly bundle: string;
  readonly now: number;
}

const STORE = statement<Stored>()((db, p) =>
  db
    .updateTable('tenants')
    .set({ bundle_seq: p.seq, trust_bundle: p.bundle, updated_at: p.now })
    .where('id', '=', p.id)
    .where('bundle_seq', '=', p.was),
);

/** The living tenant with this id. */
export function findTenantById(reader: Reader, id: string): BundledTenant | undefined {
  return reader.get(BY_ID, { id });
}

/** The living tenant with this code. */
export function findTenantByCode(reader: Reader, code: string): BundledTenant | undefined {
  return reader.get(BY_CODE, { code });
}

/** The only living tenant of the appliance; undefined when there are none or several. */
export function onlyTenant(reader: Reader): BundledTenant | undefined {
  const [first, second] = reader.all(FIRST_TWO, {});
  return second === undefined ? first : undefined;
}

/** Stores the next bundle of a tenant; false when another one was stored meanwhile. */
export function storeTrustBundle(
  tx: Tx,
  bundle: { readonly tenantId: string; readonly seq: number; readonly jws: string },
): boolean {
  const { tenantId: id, seq, jws } = bundle;
  return tx.run(STORE, { id, seq, was: seq - 1, bundle: jws, now: tx.now }).changes === 1;
}
