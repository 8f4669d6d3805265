import type { ShownTenant } from './create-tenant.ts';
import { findTenant, pageOfTenants } from './tenant-store.ts';
import { notFound, shownTenant, type ShowTenantDeps } from './update-tenant.ts';

/** One tenant. @throws Fault NOT_FOUND */
export function showTenant(deps: ShowTenantDeps, request: { readonly id: string }): ShownTenant {
  const tenant = findTenant(deps.work.read, request.id);
  if (tenant === undefined || tenant.status === 'erased') throw notFound(request.id);
  return shownTenant(deps, tenant);
}

/** Tenants, newest first, with ids before `before`. */
export function listTenants(
  deps: ShowTenantDeps,
  page: { readonly before: string; readonly limit: number },
): ShownTenant[] {
  return pageOfTenants(deps.work.read, page).map((tenant) => shownTenant(deps, tenant));
}
