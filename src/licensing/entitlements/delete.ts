import type { Permit } from '../../access/index.ts';
import { append } from '../../ledger/append.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { notFound, type Outcome, refusal, requireVersion, settle, STALE } from '../refusal.ts';
import type { Guarded } from '../schema.ts';
import { deleteEntitlement as store, dependentOfEntitlement, findEntitlement } from './entitlement-store.ts';
import { type Entitlement, entitlementDecides } from './entitlement.ts';

/** Which entitlement, and which versions of it the caller accepts. */
export interface DeleteEntitlement extends Guarded {
  readonly id: string;
}

/**
 * Deletes an entitlement that nothing living depends on; its code is free again.
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED, HAS_DEPENDENTS, CONFLICT
 */
export async function deleteEntitlement(
  deps: { readonly work: UnitOfWork },
  permit: Permit,
  request: DeleteEntitlement,
): Promise<void> {
  const realm = realmOf(permit);
  await settle(`entitlement ${request.id}`, async () => {
    const entitlement = findEntitlement(deps.work.read.in(realm), request.id);
    if (entitlement === undefined) throw notFound('entitlement', request.id);
    requireVersion(`entitlement ${request.id}`, entitlement.version, request.versions);
    return deps.work.run(permit, (tx) => remove(tx, realm, entitlement));
  });
}

function remove(tx: Tx, realm: RealmId, entitlement: Entitlement): Outcome<null> {
  const { id, version: relied } = entitlement;
  const dependent = dependentOfEntitlement(tx.in(realm), id);
  if (dependent !== undefined) {
    return refusal(
      'HAS_DEPENDENTS',
      `entitlement ${id} is attached to a living ${dependent}; detach it first`,
    );
  }
  if (!store(tx.in(realm), { id, relied, now: tx.now })) return STALE;
  const target = { kind: 'entitlement', id };
  const [before, after] = [entitlementDecides(entitlement), entitlementDecides(entitlement, tx.now)];
  append(tx, { action: 'entitlement.deleted', target, before, after });
  return { done: null };
}
