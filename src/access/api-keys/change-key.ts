import { Fault } from '../../faults.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Tx } from '../../storage/tx.ts';
import type { ApiKey } from './api-key.ts';
import { updateKey } from './api-key-store.ts';
import type { ProvenKeys } from './proven-keys.ts';

/**
 * Stores a key as it was changed: the one way to change one. From the commit on, nothing that was proven of it before counts.
 * @throws Fault CONFLICT when it has changed since it was read
 */
export function changeKey(
  tx: Tx,
  proven: Pick<ProvenKeys, 'forget'>,
  change: { readonly realm: RealmId; readonly before: ApiKey; readonly after: ApiKey },
): void {
  const { realm, before, after } = change;
  if (!updateKey(tx.in(realm), after, before.version)) {
    throw new Fault('CONFLICT', `the API key ${before.id} has changed meanwhile; read it again`);
  }
  tx.afterCommit(() => {
    proven.forget(before.id);
  });
}
