import type { Permit, Scope } from '../access/index.ts';
import { Fault } from '../faults.ts';
import { present } from '../lib/invariant.ts';
import type { RealmId } from '../storage/realm-scope.ts';

/** The realm a permit is for: a route that demands a scope is permitted on one realm only. */
export function realmOf(permit: Permit): RealmId {
  return present(permit.realm, 'a permit for a realm-owned resource names its realm');
}

/**
 * What is deleted is shown to those who may bring it back.
 * @throws Fault INSUFFICIENT_SCOPE
 */
export function requireMayRestore(permit: Permit, scope: Scope): void {
  if (holdsScope(permit, scope)) return;
  throw new Fault('INSUFFICIENT_SCOPE', `what is deleted is shown with scope ${scope} only`);
}

/**
 * Whether the caller may also do what another scope stands for, beyond what its route demanded. The local operator may;
 * kinds of principal without scopes may not.
 */
export function holdsScope(permit: Permit, scope: Scope): boolean {
  const { principal } = permit;
  if (principal.kind === 'operator') return true;
  return principal.kind === 'secret-key' && principal.scopes.has(scope);
}
