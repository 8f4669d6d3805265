import { statement } from '../../storage/statement.ts';
import type { SigningKeyState } from '../../custody/keyring.ts';
import type { EpochMs } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Reader, RealmReader, RealmTx } from '../../storage/tx.ts';

const OF_KEY = statement<{ kid: string }>()((db, p) =>
  db
    .selectFrom('products')
    .select(['id', 'code', 'version', 'deleted_at as deletedAt'])
    .where('realm_id', '=', p.realm)
    .where('signing_kid', '=', p.kid)
    .orderBy('code')
    .orderBy('id'),
);

const SET_KEY = statement<{ id: string; kid: string; relied: number; now: number }>()((db, p) =>
  db
    .updateTable('products')
    .set((eb) => ({ signing_kid: p.kid, updated_at: p.now, version: eb('version', '+', 1) }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.id)
    .where('version', '=', p.relied),
);

const LICENSE_KEY = statement<{ kid: string }>()((db, p) =>
  db
    .selectFrom('signing_keys')
    .select(['state', 'realm_id as realm'])
    .where('kid', '=', p.kid)
    .where('purpose', '=', 'license'),
);

/** The state of a licence key, and whose it is; undefined: there is no such key. */
export function licenseKeyOf(
  reader: Reader,
  kid: string,
): { readonly state: SigningKeyState; readonly realm: RealmId | null } | undefined {
  return reader.get(LICENSE_KEY, { kid });
}

/** A product as the key that signs for it sees it. */
export interface KeyedProduct {
  readonly id: string;
  readonly code: string;
  readonly version: number;
  /** Null: it lives. One that was deleted can come back, and names its key still. */
  readonly deletedAt: EpochMs | null;
}

/** The products that a licence key signs for, those included that were deleted and are not purged. */
export function productsOfKey(reader: RealmReader, kid: string): KeyedProduct[] {
  return reader.all(OF_KEY, { kid });
}

/** Gives a product another key while it has the version relied on. False: it has another, or is gone. */
export function setProductKey(
  tx: RealmTx,
  to: { readonly id: string; readonly kid: string; readonly relied: number; readonly now: EpochMs },
): boolean {
  return tx.run(SET_KEY, to).changes === 1;
}
