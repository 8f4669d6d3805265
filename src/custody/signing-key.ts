import { Fault } from '../faults.ts';
import type { EpochMs } from '../lib/clock.ts';
import type { DecidingColumns } from '../storage/journal.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import type { KeyAlgorithm, KeyPurpose } from './custodian.ts';
import type { JoseAlgorithm, KeyJwk } from './key-id.ts';

/** Where a signing key stands in its life. */
export type SigningKeyState = 'pending' | 'active' | 'retiring' | 'retired' | 'compromised';

/** Whom a key serves: the appliance (both null), a tenant, or one realm. To name a realm, its number is enough. */
export interface KeyScope {
  readonly tenantId: string | null;
  readonly realm: RealmId | null;
}

/** A signing key as the keyring knows it: everything but the private half. */
export interface SigningKey extends KeyScope {
  readonly kid: string;
  readonly purpose: KeyPurpose;
  /** null: the key serves a whole tenant, or the appliance. */
  readonly environment: 'live' | 'test' | null;
  /** JOSE name: what encoders and key sets ask for. */
  readonly algorithm: JoseAlgorithm;
  readonly keyAlgorithm: KeyAlgorithm;
  readonly state: SigningKeyState;
  /** Name of the custodian that holds it, and how that finds it again. */
  readonly custodian: string;
  readonly reference: string;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer;
  readonly jwk: KeyJwk;
  readonly notBefore: EpochMs;
  /** null = no end. */
  readonly notAfter: EpochMs | null;
  /** Counts changes of the row. */
  readonly version: number;
}

/** The keys of the appliance itself. */
export const APPLIANCE_SCOPE: KeyScope = { tenantId: null, realm: null };

/** What a state allows, and where it leads. `compromised` can be reached from any. */
interface StateRow {
  readonly signs: boolean;
  readonly next: readonly SigningKeyState[];
}

/** The life of a signing key. `retiring` keys verify and no longer sign; their private half is not loaded later on. */
export const KEY_STATES: Readonly<Record<SigningKeyState, StateRow>> = {
  pending: { signs: false, next: ['active', 'retired', 'compromised'] },
  active: { signs: true, next: ['retiring', 'compromised'] },
  retiring: { signs: false, next: ['retired', 'compromised'] },
  retired: { signs: false, next: ['compromised'] },
  compromised: { signs: false, next: [] },
};

/**
 * States that a key may go from one state to another.
 * @throws Fault CONFLICT when it may not
 */
export function requireTransition({ kid, state }: SigningKey, to: SigningKeyState): void {
  if (KEY_STATES[state].next.includes(to)) return;
  throw new Fault('CONFLICT', `signing key ${kid} is ${state} and cannot become ${to}`);
}

/** The deciding columns of a signing key, for `before` and `after` of ledger entries. */
export function signingKeyColumns(key: SigningKey): DecidingColumns {
  const { kid, purpose, tenantId, realm, keyAlgorithm, state, custodian, notBefore, notAfter } = key;
  return { kid, purpose, tenantId, realm, algorithm: keyAlgorithm, state, custodian, notBefore, notAfter };
}

/** The keys of a tenant as a whole. */
export function tenantScope(tenantId: string): KeyScope {
  return { tenantId, realm: null };
}

/** The keys of one realm; which tenant's it is need not be known. */
export function realmScope(realm: RealmId): KeyScope {
  return { tenantId: null, realm };
}

/** One string per purpose and scope: the place that one active key may hold. */
export function placeOf(purpose: KeyPurpose, { tenantId, realm }: KeyScope): string {
  if (realm !== null) return `${purpose} of realm ${realm}`;
  return tenantId === null ? `${purpose} of the appliance` : `${purpose} of tenant ${tenantId}`;
}
