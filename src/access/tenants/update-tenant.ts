import type { Sealer } from '../../custody/sealer.ts';
import { Fault } from '../../faults.ts';
import { append } from '../../ledger/append.ts';
import { saysTheSame } from '../says-the-same.ts';
import type { Tx } from '../../storage/tx.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import type { Tier } from '../api-keys/api-key.ts';
import type { Permit } from '../permit.ts';
import type { ShownTenant } from './create-tenant.ts';
import { tenantUsage } from './tenant-room-store.ts';
import { type Tenant, tenantDecides, tenantView, type TenantLimits } from './tenant.ts';
import { findTenant, openContact, sealContact, updateTenant as store } from './tenant-store.ts';

/** What showing and changing a tenant needs. */
export interface TenantDeps {
  readonly work: Pick<UnitOfWork, 'run' | 'read'>;
  readonly sealer: Sealer;
  /** Fingerprints of a tenant's root keys. */
  readonly rootsOf: (tenantId: string) => readonly string[];
  /** Called after the commit: a tenant was suspended or came back. */
  readonly realmsChanged: () => void;
}

/** What showing a tenant needs. */
export type ShowTenantDeps = Pick<TenantDeps, 'sealer' | 'rootsOf'> & {
  readonly work: Pick<TenantDeps['work'], 'read'>;
};

/** What to change; members that are absent stay. */
export interface TenantChange {
  readonly name?: string | undefined;
  readonly status?: 'active' | 'suspended' | undefined;
  readonly tier?: Tier | undefined;
  readonly maxLicenses?: number | null | undefined;
  readonly maxMachines?: number | null | undefined;
  readonly maxFilesPerDay?: number | null | undefined;
  readonly maxRecords?: number | null | undefined;
  readonly contact?: string | null | undefined;
}

/** Which tenant, which versions of it the caller accepts (null: any), and what to change. */
export interface UpdateTenant {
  readonly id: string;
  readonly versions: readonly number[] | null;
  readonly change: TenantChange;
}

/**
 * Changes name, state, tier, limits or contact. A suspended tenant's keys are refused from the commit on; its licences
 * go on to validate.
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED
 */
export async function updateTenant(
  deps: TenantDeps,
  permit: Permit,
  request: UpdateTenant,
): Promise<ShownTenant> {
  const outcome = await deps.work.run(permit, (tx) => {
    const before = findTenant(tx, request.id);
    if (before === undefined || before.status === 'erased') return { refused: notFound(request.id) };
    if (request.versions?.includes(before.version) === false) {
      return {
        refused: new Fault('PRECONDITION_FAILED', `tenant ${before.id} has changed since it was read`),
      };
    }
    const after = changed(deps, tx, { before, change: request.change });
    if (saysTheSame(before, after)) return { done: shownTenant(deps, before) };
    store(tx, after, before.version);
    append(tx, {
      realm: null,
      action: actionOf(before, after),
      target: { kind: 'tenant', id: after.id },
      before: tenantDecides(before),
      after: tenantDecides(after),
    });
    return { done: shownTenant(deps, after) };
  });
  if ('refused' in outcome) throw outcome.refused;
  deps.realmsChanged();
  return outcome.done;
}

/** A tenant as shown. */
export function shownTenant(deps: ShowTenantDeps, tenant: Tenant): ShownTenant {
  const contact = openContact(deps.sealer, tenant);
  const shown = { usage: tenantUsage(deps.work.read, tenant.id), contact, roots: deps.rootsOf(tenant.id) };
  return { view: tenantView(tenant, shown), version: tenant.version };
}

/** The fault for an id that no tenant has. */
export function notFound(id: string): Fault {
  return new Fault('NOT_FOUND', `there is no tenant ${id}`);
}

function changed(
  deps: TenantDeps,
  tx: Tx,
  { before, change }: { readonly before: Tenant; readonly change: TenantChange },
): Tenant {
  const { name, status, tier, contact } = change;
  const stays = contact === undefined || contact === openContact(deps.sealer, before);
  return {
    ...before,
    name: name ?? before.name,
    status: status ?? before.status,
    tier: tier ?? before.tier,
    ...changedLimits(before, change),
    contact: stays ? before.contact : sealContact(deps.sealer, before.id, contact),
    version: before.version + 1,
    updatedAt: tx.now,
  };
}

function changedLimits(before: Tenant, change: TenantChange): TenantLimits {
  const pick = (limit: keyof TenantLimits): number | null => {
    const wanted = change[limit];
    return wanted === undefined ? before[limit] : wanted;
  };
  return {
    maxLicenses: pick('maxLicenses'),
    maxMachines: pick('maxMachines'),
    maxFilesPerDay: pick('maxFilesPerDay'),
    maxRecords: pick('maxRecords'),
  };
}

function actionOf(before: Tenant, after: Tenant): string {
  if (before.status === after.status) return 'tenant.updated';
  return after.status === 'suspended' ? 'tenant.suspended' : 'tenant.reactivated';
}
