import {
  inState,
  type KeyPurpose,
  type NewKey,
  type SigningKey,
  type SigningKeyState,
} from '../../custody/index.ts';
import { Fault } from '../../faults.ts';
import type { EpochMs } from '../../lib/clock.ts';
import { notFound } from '../../licensing/index.ts';
import type { KeyChange } from './change-keys.ts';

/** Typed by whoever has a key sign before those who verify can know it. */
export const CONSEQUENCE = 'verifiers without the newest trust bundle refuse what this key signs';

/** A key as somebody names it, and the versions of it that he has seen; null: any. */
export interface NamedKey {
  readonly kid: string;
  readonly versions: readonly number[] | null;
}

/** Where a key that is made belongs. */
export type KeyPlace = Pick<SigningKey, 'purpose' | 'tenantId' | 'realm' | 'environment'>;

/** Whether two keys serve the same purpose for the same scope. */
export function samePlace(a: KeyPlace, b: KeyPlace): boolean {
  return a.purpose === b.purpose && a.tenantId === b.tenantId && a.realm === b.realm;
}

/** The key of a place in a state, of which there is one at most: `active`, or `pending`. */
export function inPlace(
  keys: readonly SigningKey[],
  place: KeyPlace,
  state: 'active' | 'pending',
): SigningKey | undefined {
  return keys.find((key) => key.state === state && samePlace(key, place));
}

/**
 * The key that was named, in one of these states.
 * @throws Fault NOT_FOUND, PRECONDITION_FAILED, CONFLICT
 */
export function requireKey(
  keys: readonly SigningKey[],
  { kid, versions }: NamedKey,
  states: readonly SigningKeyState[],
): SigningKey {
  const key = keys.find((one) => one.kid === kid);
  if (key === undefined) throw notFound('signing key', kid);
  if (versions !== null && !versions.includes(key.version)) {
    throw new Fault('PRECONDITION_FAILED', `signing key ${kid} has changed since it was read`);
  }
  if (states.includes(key.state)) return key;
  throw new Fault('CONFLICT', `signing key ${kid} is ${key.state}, and not ${states.join(' or ')}`);
}

/** Refuses a second key that waits for the same place. @throws Fault CONFLICT */
export function requireNoneWaiting(keys: readonly SigningKey[], place: KeyPlace): void {
  const waiting = inPlace(keys, place, 'pending');
  if (waiting === undefined) return;
  const what = `signing key ${waiting.kid} is pending for the same place`;
  throw new Fault('CONFLICT', `${what}; activate it, or retire it`);
}

/**
 * Demands the sentence of consequences, to the letter.
 * @throws Fault CONFIRMATION_REQUIRED, whose message says the sentence
 */
export function requireConsequence(typed: string | undefined): void {
  if (typed === CONSEQUENCE) return;
  throw new Fault('CONFIRMATION_REQUIRED', `this has a consequence; confirm with exactly: ${CONSEQUENCE}`);
}

/** A new key that is announced: it signs from `from` on, by itself when `activates`. Pure. */
export function announced(
  made: NewKey,
  place: KeyPlace,
  when: { readonly from: EpochMs; readonly activates: boolean },
): KeyChange {
  const { tenantId, realm, environment } = place;
  const times = { notBefore: when.from, notAfter: null, activatesAt: when.activates ? when.from : null };
  return { changed: [], added: { made, as: { tenantId, realm, environment, state: 'pending', ...times } } };
}

/** A new key takes the place of `old` at once; `to` is what becomes of that one. Pure. */
export function replaced(
  old: SigningKey,
  made: NewKey,
  how: {
    readonly to: 'retiring' | 'compromised';
    readonly at: EpochMs;
    readonly since?: EpochMs | undefined;
  },
): KeyChange {
  const { tenantId, realm, environment } = old;
  const times = { notBefore: how.at, notAfter: null } as const;
  return {
    changed: [inState(old, how.to, { now: how.at, since: how.since })],
    added: { made, as: { tenantId, realm, environment, state: 'active', ...times } },
  };
}

/** A pending key takes its place, and the one before it retires. Pure. */
export function activated(keys: readonly SigningKey[], pending: SigningKey, now: EpochMs): KeyChange {
  const holder = inPlace(keys, pending, 'active');
  const next = inState(pending, 'active', { now });
  return { changed: holder === undefined ? [next] : [inState(holder, 'retiring', { now }), next] };
}

/** Purposes whose keys an operator makes and rotates, and whom such a key serves. */
export const KEY_SCOPES = {
  root: 'tenant',
  revocation: 'tenant',
  license: 'realm',
  response: 'realm',
  token: 'realm',
  ledger: 'appliance',
} as const satisfies Partial<Record<KeyPurpose, 'appliance' | 'tenant' | 'realm'>>;

/** A purpose of {@link KEY_SCOPES}. */
export type ManagedPurpose = keyof typeof KEY_SCOPES;

/** Every purpose of {@link KEY_SCOPES}. */
export const MANAGED_PURPOSES = Object.keys(KEY_SCOPES) as readonly ManagedPurpose[]; // the keys of a constant
