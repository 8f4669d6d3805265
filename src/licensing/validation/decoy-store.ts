import { type RealmId, SYSTEM_REALM } from '../../storage/realm-scope.ts';

/** The realm of the appliance itself: it owns no licence, so that whoever looks for one there finds none. */
export function decoyRealm(): RealmId {
  return SYSTEM_REALM;
}
