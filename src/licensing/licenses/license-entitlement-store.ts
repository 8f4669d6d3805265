import type { EpochMs } from '../../lib/clock.ts';
import type { DecidingColumns } from '../../storage/journal.ts';
import { statement } from '../../storage/statement.ts';
import type { RealmReader, RealmTx } from '../../storage/tx.ts';
import type { EntitlementRef } from '../policies/policy.ts';
import type { OwnEntitlement } from './license.ts';

interface Pair {
  readonly licenseId: string;
  readonly entitlementId: string;
}

const ATTACHED = statement<Pair>()((db, p) =>
  db
    .selectFrom('license_entitlements')
    .select('expires_at as expiresAt')
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('entitlement_id', '=', p.entitlementId),
);

const ATTACH = statement<Pair & { expiresAt: EpochMs | null }>()((db, p) =>
  db
    .insertInto('license_entitlements')
    .values({
      realm_id: p.realm,
      license_id: p.licenseId,
      entitlement_id: p.entitlementId,
      expires_at: p.expiresAt,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['realm_id', 'license_id', 'entitlement_id'])
        .doUpdateSet((eb) => ({ expires_at: eb.ref('excluded.expires_at') })),
    ),
);

const DETACH = statement<Pair>()((db, p) =>
  db
    .deleteFrom('license_entitlements')
    .where('realm_id', '=', p.realm)
    .where('license_id', '=', p.licenseId)
    .where('entitlement_id', '=', p.entitlementId),
);

const DETACH_ALL = statement<{ licenseId: string }>()((db, p) =>
  db.deleteFrom('license_entitlements').where('realm_id', '=', p.realm).where('license_id', '=', p.licenseId),
);

const DELETED_OF_LICENSE = statement<{ licenseId: string }>()((db, p) =>
  db
    .selectFrom('license_entitlements as le')
    .innerJoin('entitlements as e', (join) =>
      join.onRef('e.realm_id', '=', 'le.realm_id').onRef('e.id', '=', 'le.entitlement_id'),
    )
    .select('e.id as entitlementId')
    .where('le.realm_id', '=', p.realm)
    .where('le.license_id', '=', p.licenseId)
    .where('e.deleted_at', 'is not', null),
);

/** What a licence carries has changed: whoever relies on its version prepares again. */
const TOUCH = statement<{ licenseId: string; now: EpochMs }>()((db, p) =>
  db
    .updateTable('licenses')
    .set((eb) => ({ updated_at: p.now, version: eb('version', '+', 1) }))
    .where('realm_id', '=', p.realm)
    .where('id', '=', p.licenseId),
);

/** Attaches a living entitlement to a licence, until a time or for good; attached already: only that time changes. */
export function attachToLicense(tx: RealmTx, pair: Pair, expiresAt: EpochMs | null): void {
  tx.run(ATTACH, { ...pair, expiresAt });
}

/** Until when a licence has an entitlement of its own; undefined: it has not. */
export function attachmentOf(
  reader: RealmReader,
  pair: Pair,
): { readonly expiresAt: EpochMs | null } | undefined {
  return reader.get(ATTACHED, pair);
}

/** Detaches an entitlement. False: it was not attached. */
export function detachFromLicense(tx: RealmTx, pair: Pair): boolean {
  return tx.run(DETACH, pair).changes === 1;
}

/** Detaches everything from a licence that goes for good. */
export function detachAllFromLicense(tx: RealmTx, licenseId: string): void {
  tx.run(DETACH_ALL, { licenseId });
}

/** Detaches from a licence that comes back what was deleted meanwhile. @returns ids of what it no longer has */
export function detachDeletedFromLicense(tx: RealmTx, licenseId: string): string[] {
  const gone = tx.all(DELETED_OF_LICENSE, { licenseId }).map(({ entitlementId }) => entitlementId);
  for (const entitlementId of gone) tx.run(DETACH, { licenseId, entitlementId });
  return gone;
}

/** What the ledger's digests of an entitlement of a licence cover, and under which id it stands there. */
export function licenseLink(pair: Pair & { readonly expiresAt: EpochMs | null }): {
  readonly target: { readonly kind: 'license-entitlement'; readonly id: string };
  readonly columns: DecidingColumns;
} {
  const { licenseId, entitlementId, expiresAt } = pair;
  const id = `${licenseId}/${entitlementId}`;
  return { target: { kind: 'license-entitlement', id }, columns: { licenseId, entitlementId, expiresAt } };
}

/** Counts an edit of what a licence carries. */
export function touchLicense(tx: RealmTx, licenseId: string, now: EpochMs): void {
  tx.run(TOUCH, { licenseId, now });
}

/** The living entitlements among these ids. */
export function livingEntitlements(reader: RealmReader, ids: readonly string[]): EntitlementRef[] {
  if (ids.length === 0) return [];
  return reader.find((db, p) =>
    db
      .selectFrom('entitlements')
      .select(['id', 'code'])
      .where('realm_id', '=', p.realm)
      .where('id', 'in', ids)
      .where('deleted_at', 'is', null),
  );
}

/** What several licences carry themselves and what holds at `now`, in order of their codes, in one statement. */
export function ownEntitlements(
  reader: RealmReader,
  licenseIds: readonly string[],
  now: EpochMs,
): ReadonlyMap<string, readonly OwnEntitlement[]> {
  const found = new Map<string, OwnEntitlement[]>();
  if (licenseIds.length === 0) return found;
  const rows = reader.find((db, p) =>
    db
      .selectFrom('license_entitlements as le')
      .innerJoin('entitlements as e', (join) =>
        join.onRef('e.realm_id', '=', 'le.realm_id').onRef('e.id', '=', 'le.entitlement_id'),
      )
      .select(['le.license_id as licenseId', 'e.id as id', 'e.code as code', 'le.expires_at as expiresAt'])
      .where('le.realm_id', '=', p.realm)
      .where('le.license_id', 'in', licenseIds)
      .where('e.deleted_at', 'is', null)
      .where((eb) => eb.or([eb('le.expires_at', 'is', null), eb('le.expires_at', '>', now)]))
      .orderBy('e.code'),
  );
  for (const { licenseId, ...own } of rows) {
    const known = found.get(licenseId);
    if (known === undefined) found.set(licenseId, [own]);
    else known.push(own);
  }
  return found;
}
