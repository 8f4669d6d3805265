import { Fault } from '../../faults.ts';
import { invariant } from '../../lib/invariant.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmReader } from '../../storage/tx.ts';
import type { Permit } from '../permit.ts';
import { findKey } from './api-key-store.ts';
import type { Giver } from './giving.ts';

/** The realm that a permit for keys is for. */
export function realmOf(permit: Permit): RealmId {
  invariant(permit.realm !== null, 'keys are managed in a realm');
  return permit.realm;
}

/**
 * Who gives, read inside the unit: a key that was revoked since it was let in gives nothing any more.
 * @throws Fault UNAUTHENTICATED
 */
export function giverOf(reader: RealmReader, permit: Permit): Giver {
  const { principal } = permit;
  if (principal.kind === 'operator') return { operator: true };
  const key = principal.kind === 'secret-key' ? findKey(reader, principal.actor.id) : undefined;
  if (key === undefined || key.revokedAt !== null) {
    throw new Fault('UNAUTHENTICATED', 'the key that asks was revoked; use another one');
  }
  return { operator: false, key };
}
