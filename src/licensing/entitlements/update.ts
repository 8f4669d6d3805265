import { type Permit, saysTheSame } from '../../access/index.ts';
import type { Sealer } from '../../custody/sealer.ts';
import { append } from '../../ledger/append.ts';
import type { EpochMs } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { openMetadata, refuseCardData, resealMetadata } from '../metadata.ts';
import { notFound, requireVersion, settle, STALE } from '../refusal.ts';
import type { Guarded, Shown } from '../schema.ts';
import type { EntitlementPatch } from './entitlement-schema.ts';
import { findEntitlement, updateEntitlement as store } from './entitlement-store.ts';
import {
  type Entitlement,
  entitlementDecides,
  entitlementView,
  type EntitlementView,
} from './entitlement.ts';
import { showEntitlement } from './show.ts';

/** What changing an entitlement needs. */
export interface UpdateEntitlementDeps {
  readonly work: UnitOfWork;
  readonly sealer: Sealer;
  readonly time: { now(): EpochMs };
}

/** Which entitlement, which versions of it the caller accepts, and what to change. */
export interface UpdateEntitlement extends Guarded {
  readonly id: string;
  readonly change: EntitlementPatch;
}

/**
 * Changes name or metadata; members that are absent stay.
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED, CONFLICT, CARD_DATA_REFUSED
 */
export async function updateEntitlement(
  deps: UpdateEntitlementDeps,
  permit: Permit,
  request: UpdateEntitlement,
): Promise<Shown<EntitlementView>> {
  const realm = realmOf(permit);
  refuseCardData(request.change);
  return settle(`entitlement ${request.id}`, async () => {
    const entitlement = findEntitlement(deps.work.read.in(realm), request.id);
    if (entitlement === undefined) throw notFound('entitlement', request.id);
    requireVersion(`entitlement ${request.id}`, entitlement.version, request.versions);
    const { after, view } = changed(deps, realm, { entitlement, change: request.change });
    if (saysTheSame(entitlement, after)) return { done: showEntitlement(deps, permit, entitlement.id) };
    return deps.work.run(permit, (tx) => {
      if (!store(tx.in(realm), after, entitlement.version)) return STALE;
      const target = { kind: 'entitlement', id: entitlement.id };
      const [was, is] = [entitlementDecides(entitlement), entitlementDecides(after)];
      append(tx, { action: 'entitlement.updated', target, before: was, after: is });
      permit.remember(tx, view);
      return { done: view };
    });
  });
}

function changed(
  deps: UpdateEntitlementDeps,
  realm: RealmId,
  given: { readonly entitlement: Entitlement; readonly change: EntitlementPatch },
): { readonly after: Entitlement; readonly view: Shown<EntitlementView> } {
  const { entitlement, change } = given;
  const cell = { realm, table: 'entitlements', row: entitlement.id };
  const metadata = change.metadata ?? openMetadata(deps.sealer, cell, entitlement.metadata);
  const after: Entitlement = {
    ...entitlement,
    name: change.name ?? entitlement.name,
    metadata: resealMetadata(deps.sealer, cell, { stored: entitlement.metadata, metadata: change.metadata }),
    version: entitlement.version + 1,
    updatedAt: deps.time.now(),
  };
  return { after, view: { view: entitlementView(after, metadata), version: after.version } };
}
