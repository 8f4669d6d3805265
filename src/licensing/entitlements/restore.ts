import type { Permit } from '../../access/index.ts';
import { append } from '../../ledger/append.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { notFound, refusal, requireVersion, settle, STALE } from '../refusal.ts';
import type { Guarded, Shown } from '../schema.ts';
import { entitlementCodeInUse, findDeletedEntitlement, restoreEntitlementRow } from './entitlement-store.ts';
import { entitlementDecides, type EntitlementView } from './entitlement.ts';
import { type ReadEntitlementDeps, showEntitlementNow } from './show.ts';

/** What restoring an entitlement needs. */
export interface RestoreEntitlementDeps extends ReadEntitlementDeps {
  readonly work: UnitOfWork;
}

/**
 * Brings back an entitlement that was deleted and is not purged yet. What it was attached to was detached before it could
 * be deleted.
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED; CONFLICT when another entitlement has its code by now
 */
export async function restoreEntitlement(
  deps: RestoreEntitlementDeps,
  permit: Permit,
  request: Guarded & { readonly id: string },
): Promise<Shown<EntitlementView>> {
  const realm = realmOf(permit);
  const { id } = request;
  return settle(`entitlement ${id}`, () =>
    deps.work.run(permit, (tx) => {
      const rows = tx.in(realm);
      const found = findDeletedEntitlement(rows, id);
      if (found === undefined) throw notFound('deleted entitlement', id);
      requireVersion(`entitlement ${id}`, found.version, request.versions);
      if (entitlementCodeInUse(rows, found.code)) {
        const { code } = found;
        return refusal(
          'CONFLICT',
          `entitlement ${id} cannot come back: code ${code} is in use by another entitlement`,
        );
      }
      if (!restoreEntitlementRow(rows, { id, relied: found.version, now: tx.now })) return STALE;
      const [before, after] = [entitlementDecides(found, found.deletedAt), entitlementDecides(found)];
      append(tx, { action: 'entitlement.restored', target: { kind: 'entitlement', id }, before, after });
      const shown = showEntitlementNow(deps, rows, { realm, id });
      permit.remember(tx, shown);
      return { done: shown };
    }),
  );
}
