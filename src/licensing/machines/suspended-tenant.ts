import type { Permit } from '../../access/index.ts';
import type { Reader } from '../../storage/tx.ts';
import { realmOf } from '../caller.ts';
import { type Refusal, refusal } from '../refusal.ts';
import { holderOf } from './own-machine.ts';
import { isTenantActive } from './tenant-limit-store.ts';

/** What is said to the holder of a licence whose tenant is suspended. */
export function tenantSuspended(): Refusal {
  return refusal('TENANT_SUSPENDED', 'the tenant is suspended: no machine is activated and no file issued');
}

/**
 * Why the holder of a licence gets nothing new (a seat, a file) while the tenant is suspended; null: he may, or the caller
 * is not a holder (the tenant's own API keys are refused before, the operator may). What a holder has goes on:
 * validation, heartbeats and deactivation never ask this. Decided in the unit that would give it.
 */
export function refuseSuspendedTenant(reader: Reader, permit: Permit): Refusal | null {
  if (holderOf(permit) === null || isTenantActive(reader, realmOf(permit))) return null;
  return tenantSuspended();
}
