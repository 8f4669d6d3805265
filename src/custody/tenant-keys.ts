import type { EpochMs } from '../lib/clock.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import { present } from '../lib/invariant.ts';
import type { Tx } from '../storage/tx.ts';
import type { KeyPurpose } from './custodian.ts';
import type { JoseAlgorithm, KeyJwk } from './key-id.ts';
import { describeKey, type Keyring, type NewKey, type Registration, type SigningKey } from './keyring.ts';
import { APPLIANCE_SCOPE, type SigningKeyState } from './signing-key.ts';

/** The keys that each realm of a tenant has. */
const REALM_PURPOSES = ['license', 'response', 'token'] as const satisfies KeyPurpose[];
/** The purposes a trust bundle certifies: what somebody outside verifies. */
const CERTIFIED: readonly KeyPurpose[] = ['revocation', ...REALM_PURPOSES];

/** Every key that a new tenant has: its own two, and those of each realm. */
export const TENANT_KEYS: readonly TenantKeyPlace[] = [
  { purpose: 'root', environment: null },
  { purpose: 'revocation', environment: null },
  ...(['live', 'test'] as const).flatMap((environment) =>
    REALM_PURPOSES.map((purpose) => ({ purpose, environment })),
  ),
];

/** What a key of a tenant is for. */
export interface TenantKeyPlace {
  readonly purpose: KeyPurpose;
  readonly environment: 'live' | 'test' | null;
}

/** Keys that were made already, to be taken instead of new ones; undefined: there is none of this kind. */
export type KeySource = (
  purpose: KeyPurpose,
  environment: TenantKeyPlace['environment'],
) => NewKey | undefined;

interface Slot {
  readonly made: NewKey;
  readonly environment: 'live' | 'test' | null;
}

/** The keys of a tenant that does not exist yet, on disk in their custodian and named by nothing. */
export interface NewTenantKeys {
  readonly root: NewKey;
  readonly slots: readonly Slot[];
}

/** The tenant that new keys are for. */
export interface TenantPlace {
  readonly tenantId: string;
  readonly live: RealmId;
  readonly test: RealmId;
  /** From when on they sign; the same in the first trust bundle and in the table. */
  readonly notBefore: EpochMs;
}

/** What the trust bundle of a tenant says about keys; the encoder in issuing/trust-bundle.ts takes it as it is. */
export interface TrustBundleContents {
  readonly roots: readonly { readonly kid: string; readonly jwk: KeyJwk; readonly state: SigningKeyState }[];
  readonly keys: readonly {
    readonly kid: string;
    readonly jwk: KeyJwk;
    readonly algorithm: JoseAlgorithm;
    readonly purpose: KeyPurpose;
    readonly environment: 'live' | 'test' | null;
    readonly state: SigningKeyState;
    readonly notBefore: EpochMs;
    readonly notAfter: EpochMs | null;
  }[];
}

/**
 * Makes the keys of a new tenant, before its unit: root and revocation key of the tenant; licence, response and token
 * key of each realm.
 */
export async function generateTenantKeys(keyring: Keyring, source?: KeySource): Promise<NewTenantKeys> {
  const slots: Slot[] = [];
  for (const { purpose, environment } of TENANT_KEYS) {
    const made = source?.(purpose, environment) ?? (await make(keyring, purpose));
    slots.push({ made, environment });
  }
  return { root: present(slots[0], 'the first key of a tenant is its root').made, slots };
}

/** Makes the ledger key of a new appliance, before its unit. */
export function generateLedgerKey(keyring: Keyring): Promise<NewKey> {
  return make(keyring, 'ledger');
}

/** Stores the ledger key, inside the unit that makes the appliance; the caller records it. */
export function registerLedgerKey(tx: Tx, keyring: Keyring, made: NewKey): SigningKey {
  return keyring.register(tx, made, {
    ...APPLIANCE_SCOPE,
    environment: null,
    state: 'active',
    notBefore: tx.now,
    notAfter: null,
  });
}

/** The keys of a new tenant as they will be once registered: for its first trust bundle, which is signed before. */
export function describeTenantKeys(keys: NewTenantKeys, place: TenantPlace): SigningKey[] {
  return keys.slots.map((slot) => describeKey(slot.made, registration(slot, place)));
}

/** Stores the keys of a new tenant inside the unit that makes it; the caller records each of them. */
export function registerTenantKeys(
  tx: Tx,
  keyring: Keyring,
  { keys, place }: { readonly keys: NewTenantKeys; readonly place: TenantPlace },
): SigningKey[] {
  return keys.slots.map((slot) => keyring.register(tx, slot.made, registration(slot, place)));
}

/** What a trust bundle says about these keys of one tenant, in one order whatever theirs is. Pure. */
export function trustBundleContents(keys: readonly SigningKey[]): TrustBundleContents {
  const ordered = [...keys].sort((a, b) => (bundleOrder(a) < bundleOrder(b) ? -1 : 1));
  return {
    roots: ordered
      .filter(({ purpose }) => purpose === 'root')
      .map(({ kid, jwk, state }) => ({ kid, jwk, state })),
    keys: ordered
      .filter(({ purpose }) => CERTIFIED.includes(purpose))
      .map(({ kid, jwk, algorithm, purpose, environment, state, notBefore, notAfter }) => {
        return { kid, jwk, algorithm, purpose, environment, state, notBefore, notAfter };
      }),
  };
}

/** By purpose, environment (the tenant's own first), age and kid. */
function bundleOrder({ purpose, environment, notBefore, kid }: SigningKey): string {
  const rank = CERTIFIED.indexOf(purpose) + 1;
  return [rank, environment ?? '', String(notBefore).padStart(16, '0'), kid].join(' ');
}

function registration({ environment }: Slot, place: TenantPlace): Registration {
  const realm = environment === null ? null : place[environment];
  const { tenantId, notBefore } = place;
  return { tenantId, realm, environment, state: 'active', notBefore, notAfter: null };
}

/** Refused at the first key that may not sign, before there are eight of them in a token. */
async function make(keyring: Keyring, purpose: KeyPurpose): Promise<NewKey> {
  const made = await keyring.generate({ purpose, algorithm: await keyring.algorithmFor(purpose) });
  keyring.demandCopied({ ...made, kid: made.handle.kid });
  return made;
}
