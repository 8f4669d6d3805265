import { type Permit, refuseFull, tenantRoom } from '../../access/index.ts';
import type { Sealer } from '../../custody/sealer.ts';
import { append } from '../../ledger/append.ts';
import type { EpochMs } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { newId } from '../../lib/ulid.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { realmOf } from '../caller.ts';
import { refuseCardData, sealMetadata } from '../metadata.ts';
import { refusal, settle } from '../refusal.ts';
import type { EntitlementInput } from './entitlement-schema.ts';
import { insertEntitlement } from './entitlement-store.ts';
import {
  type Entitlement,
  entitlementDecides,
  entitlementView,
  type EntitlementView,
} from './entitlement.ts';

/** What creating an entitlement needs. */
export interface CreateEntitlementDeps {
  readonly work: UnitOfWork;
  readonly sealer: Sealer;
  readonly random: Random;
  /** Trusted time. */
  readonly time: { now(): EpochMs };
}

/**
 * Creates an entitlement.
 * @throws Fault CONFLICT when a living entitlement of the realm has this code; CARD_DATA_REFUSED, TENANT_LIMIT
 */
export async function createEntitlement(
  deps: CreateEntitlementDeps,
  permit: Permit,
  request: EntitlementInput,
): Promise<EntitlementView> {
  const realm = realmOf(permit);
  const { code, ...free } = request;
  refuseCardData(free);
  const entitlement = newEntitlement(deps, realm, request);
  const view = entitlementView(entitlement, request.metadata ?? {});
  return settle('the entitlement', () =>
    deps.work.run(permit, (tx) => {
      const full = refuseFull(tenantRoom(tx.in(realm)));
      if (full !== null) return full;
      if (!insertEntitlement(tx.in(realm), entitlement)) {
        return refusal('CONFLICT', `code ${code} is in use by another entitlement`);
      }
      const target = { kind: 'entitlement', id: entitlement.id };
      append(tx, { action: 'entitlement.created', target, after: entitlementDecides(entitlement) });
      permit.remember(tx, view);
      return { done: view };
    }),
  );
}

function newEntitlement(
  deps: CreateEntitlementDeps,
  realm: RealmId,
  request: EntitlementInput,
): Omit<Entitlement, 'seq'> {
  const now = deps.time.now();
  const id = newId('entitlement', now, deps.random);
  return {
    id,
    code: request.code,
    name: request.name ?? request.code,
    metadata: sealMetadata(deps.sealer, { realm, table: 'entitlements', row: id }, request.metadata ?? {}),
    version: 1,
    createdAt: now,
    updatedAt: now,
    deletedAt: null,
  };
}
