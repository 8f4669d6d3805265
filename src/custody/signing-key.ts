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
  /**
   * Where else a key is that is in a token: PKCS#11 URI of the second token whose copy has signed; `none`: nowhere, and
   * somebody has accepted that; null: nobody has looked yet, or the appliance's backups hold it.
   */
  readonly copy: string | null;
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Buffer;
  readonly jwk: KeyJwk;
  readonly notBefore: EpochMs;
  /** null = no end. */
  readonly notAfter: EpochMs | null;
  /** When a pending key is to take over by itself; null: when somebody says so. */
  readonly activatesAt: EpochMs | null;
  /** Since when a compromised key may have been in other hands; null for every other key. */
  readonly compromisedSince: EpochMs | null;
  /** Counts changes of the row. */
  readonly version: number;
}

/** A key that is in a token and in no other, as somebody has accepted. */
export const NO_COPY = 'none';

/** The keys of the appliance itself. */
export const APPLIANCE_SCOPE: KeyScope = { tenantId: null, realm: null };

/** What a state allows, and where it leads. `compromised` can be reached from any. */
interface StateRow {
  /** Purposes whose keys sign in this state. */
  readonly signs: 'every' | readonly KeyPurpose[];
  readonly next: readonly SigningKeyState[];
}

/**
 * The life of a signing key. `retiring` keys verify and no longer sign, with three exceptions: a licence key signs for the
 * products that name it (their applications may have it compiled in), a root signs bundles together with its successor (not
 * everybody has seen the first of those), and a ledger key the one checkpoint by which it hands over to the next (docs/adr/0020-life-of-signing-keys.md).
 */
export const KEY_STATES: Readonly<Record<SigningKeyState, StateRow>> = {
  pending: { signs: [], next: ['active', 'retired', 'compromised'] },
  active: { signs: 'every', next: ['retiring', 'compromised'] },
  retiring: { signs: ['root', 'license', 'ledger'], next: ['retired', 'compromised'] },
  retired: { signs: [], next: ['compromised'] },
  compromised: { signs: [], next: [] },
};

/** Whether a key signs in the state it is in. */
export function signsNow({ state, purpose }: Pick<SigningKey, 'state' | 'purpose'>): boolean {
  const { signs } = KEY_STATES[state];
  return signs === 'every' || signs.includes(purpose);
}

/** When a change of state happens, and for `compromised` since when the key may have been in other hands. */
export interface StateChange {
  readonly now: EpochMs;
  /** Left out: for as long as there is the key. */
  readonly since?: EpochMs | undefined;
}

/**
 * A key as it is once its state has changed. Pure.
 * @throws Fault CONFLICT when the state cannot be reached from the present one
 */
export function inState(key: SigningKey, state: SigningKeyState, { now, since }: StateChange): SigningKey {
  requireTransition(key, state);
  return {
    ...key,
    state,
    // What signs earlier than was announced is certified from then on.
    notBefore: state === 'active' ? Math.min(key.notBefore, now) : key.notBefore,
    notAfter: state === 'retired' ? now : key.notAfter,
    activatesAt: null,
    compromisedSince: state === 'compromised' ? (since ?? key.notBefore) : null,
    version: key.version + 1,
  };
}

function requireTransition({ kid, state }: SigningKey, to: SigningKeyState): void {
  if (KEY_STATES[state].next.includes(to)) return;
  throw new Fault('CONFLICT', `signing key ${kid} is ${state} and cannot become ${to}`);
}

/** The deciding columns of a signing key, for `before` and `after` of ledger entries. */
export function signingKeyColumns(key: SigningKey): DecidingColumns {
  const { kid, purpose, tenantId, realm, environment, keyAlgorithm, state, custodian, copy } = key;
  const { notBefore, notAfter, activatesAt, compromisedSince } = key;
  const place = { purpose, tenantId, realm, environment };
  const times = { notBefore, notAfter, activatesAt, compromisedSince };
  return { kid, ...place, algorithm: keyAlgorithm, state, custodian, copy, ...times };
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
