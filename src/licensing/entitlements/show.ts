import type { Permit } from '../../access/index.ts';
import type { Sealer } from '../../custody/sealer.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmReader } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { openMetadata } from '../metadata.ts';
import { notFound } from '../refusal.ts';
import type { NounPage, Shown } from '../schema.ts';
import { findEntitlement, pageOfEntitlements } from './entitlement-store.ts';
import { type Entitlement, entitlementView, type EntitlementView } from './entitlement.ts';

/** What reading entitlements needs. */
export interface ReadEntitlementDeps {
  readonly work: Pick<UnitOfWork, 'read'>;
  readonly sealer: Sealer;
}

/**
 * One entitlement with its version.
 * @throws Fault NOT_FOUND
 */
export function showEntitlement(
  deps: ReadEntitlementDeps,
  permit: Permit,
  id: string,
): Shown<EntitlementView> {
  const realm = realmOf(permit);
  return showEntitlementNow(deps, deps.work.read.in(realm), { realm, id });
}

/** The same as a reader sees it: inside a unit, as the unit has made it. @throws Fault NOT_FOUND */
export function showEntitlementNow(
  deps: Pick<ReadEntitlementDeps, 'sealer'>,
  reader: RealmReader,
  { realm, id }: { readonly realm: RealmId; readonly id: string },
): Shown<EntitlementView> {
  const entitlement = findEntitlement(reader, id);
  if (entitlement === undefined) throw notFound('entitlement', id);
  return { view: viewOf(deps, realm, entitlement), version: entitlement.version };
}

/** Entitlements in order of creation, each with its sort key. */
export function listEntitlements(
  deps: ReadEntitlementDeps,
  permit: Permit,
  page: NounPage,
): { readonly seq: number; readonly view: EntitlementView }[] {
  const realm = realmOf(permit);
  const entitlements = pageOfEntitlements(deps.work.read.in(realm), page);
  return entitlements.map((entitlement) => ({
    seq: entitlement.seq,
    view: viewOf(deps, realm, entitlement),
  }));
}

function viewOf(
  deps: Pick<ReadEntitlementDeps, 'sealer'>,
  realm: RealmId,
  entitlement: Entitlement,
): EntitlementView {
  const cell = { realm, table: 'entitlements', row: entitlement.id };
  return entitlementView(entitlement, openMetadata(deps.sealer, cell, entitlement.metadata));
}
