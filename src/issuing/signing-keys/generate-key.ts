import { type NewKey, NO_COPY, type SigningKey } from '../../custody/index.ts';
import { Fault } from '../../faults.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import { changeKeys, type KeyCaller, type KeyDeps, keysOf } from './change-keys.ts';
import { type ChangedKey, changedKey } from './changed-keys.ts';
import {
  announced,
  KEY_SCOPES,
  type KeyPlace,
  type ManagedPurpose,
  requireNoneWaiting,
} from './key-plans.ts';

/** What making and rotating keys needs. */
export interface MakeKeyDeps extends KeyDeps {
  /** How long a key is published before it signs, milliseconds. */
  readonly leadMs: number;
  readonly realmName: (realm: RealmId) => {
    readonly tenantId: string;
    readonly environment: 'live' | 'test';
  } | null;
}

/**
 * Makes a key beside the one that signs now, and publishes it as `pending`; it signs when somebody activates it. For a root that is
 * the standby root.
 * @throws Fault REALM_REQUIRED, CONFLICT when one is pending already; as `changeKeys`
 */
export async function generateKey(
  deps: MakeKeyDeps,
  caller: KeyCaller,
  { purpose }: { readonly purpose: ManagedPurpose },
): Promise<ChangedKey> {
  const place = placeFor(deps, purpose, caller.realm);
  requireNoneWaiting(keysOf(deps.keyring, place.tenantId), place);
  const made = await makeKey(deps, place);
  return changeKeys(deps, caller, {
    tenantId: place.tenantId,
    plan: (keys, at) => {
      requireNoneWaiting(keys, place);
      // A standby root is there for the day on which the other one is lost: that day is not known.
      const from = purpose === 'root' ? at : at + deps.leadMs;
      return announced(made, place, { from, activates: false });
    },
    commit: (_, changed) => changedKey(changed, made.handle.kid),
  });
}

/** Has a key made by its custodian: durable when this resolves, and named by nothing. */
export async function makeKey({ keyring }: Pick<KeyDeps, 'keyring'>, { purpose }: KeyPlace): Promise<NewKey> {
  return keyring.generate({ purpose, algorithm: await keyring.algorithmFor(purpose) });
}

/** As {@link makeKey}, for the place of a key: whoever let that one sign without a copy on a second token lets this one, too. */
export async function makeSuccessor(deps: Pick<KeyDeps, 'keyring'>, old: SigningKey): Promise<NewKey> {
  const made = await makeKey(deps, old);
  return { ...made, copy: made.copy ?? (old.copy === NO_COPY ? NO_COPY : null) };
}

function placeFor(deps: MakeKeyDeps, purpose: ManagedPurpose, realm: RealmId | null): KeyPlace {
  const scope = KEY_SCOPES[purpose];
  if (scope === 'appliance') {
    throw new Fault(
      'CONFLICT',
      `a ${purpose} key waits for nothing: rotate it, and the new one signs at once`,
    );
  }
  const name = realm === null ? null : deps.realmName(realm);
  if (realm === null || name === null) {
    throw new Fault('REALM_REQUIRED', 'no tenant is named; send the header X-Mintmark-Tenant with its code');
  }
  const { tenantId, environment } = name;
  return scope === 'realm'
    ? { purpose, tenantId, realm, environment }
    : { purpose, tenantId, realm: null, environment: null };
}
