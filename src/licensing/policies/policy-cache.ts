import { invariant, present } from '../../lib/invariant.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { RealmReader } from '../../storage/tx.ts';
import type { PolicySettings } from './policy-settings.ts';
import { entitlementsOfPolicies, findPolicies, findPolicy } from './policy-store.ts';
import { type EntitlementRef, type Policy, settingsOf } from './policy.ts';

/** A policy as decisions use it; frozen, shared by everybody who reads this version. */
export interface CachedPolicy {
  readonly id: string;
  readonly productId: string;
  readonly name: string;
  readonly code: string;
  readonly version: number;
  readonly settings: PolicySettings;
  readonly entitlements: readonly EntitlementRef[];
}

/** Which version of which policy. */
export interface PolicyVersion {
  readonly realm: RealmId;
  readonly id: string;
  readonly version: number;
}

/** About 2 KB each: enough for every policy of a busy appliance, and a bound for one with millions. */
const POLICIES_MAX = 10_000;

/**
 * Parsed policies by (id, version). A newer version takes the place of the older one when it is first asked for; who
 * changes a policy forgets it after the commit, because a unit may have read a version that was thrown away.
 */
export class PolicyCache {
  readonly #policies = new Map<string, CachedPolicy>();

  /** The policy in the version that the caller has just read with its licence, by the same reader. */
  get(reader: RealmReader, { realm, id, version }: PolicyVersion): CachedPolicy {
    const key = keyOf(realm, id);
    const known = this.#policies.get(key);
    if (known?.version === version) return known;
    const loaded = load(reader, id);
    invariant(loaded.version === version, 'a policy is read in the same turn as its version');
    this.#keep(key, loaded);
    return loaded;
  }

  /** Reads the policies that a page of licences will ask for: two statements at most, whatever is known already. */
  preload(reader: RealmReader, wanted: readonly PolicyVersion[]): void {
    const missing = wanted.filter(
      ({ realm, id, version }) => this.#policies.get(keyOf(realm, id))?.version !== version,
    );
    const ids = [...new Set(missing.map(({ id }) => id))];
    const entitlements = entitlementsOfPolicies(reader, ids);
    const realm = missing[0]?.realm;
    if (realm === undefined) return;
    for (const policy of findPolicies(reader, ids)) {
      this.#keep(keyOf(realm, policy.id), cached(policy, entitlements.get(policy.id) ?? []));
    }
  }

  /** The settings alone, as decisions take them. */
  settings(reader: RealmReader, policy: PolicyVersion): PolicySettings {
    return this.get(reader, policy).settings;
  }

  /** Called after the commit of a change (`tx.afterCommit`). */
  forget(realm: RealmId, id: string): void {
    this.#policies.delete(keyOf(realm, id));
  }

  #keep(key: string, policy: CachedPolicy): void {
    this.#policies.delete(key);
    if (this.#policies.size >= POLICIES_MAX) this.#forgetOldest();
    this.#policies.set(key, policy);
  }

  #forgetOldest(): void {
    for (const key of this.#policies.keys()) {
      this.#policies.delete(key);
      return;
    }
  }
}

const keyOf = (realm: RealmId, id: string): string => `${String(realm)} ${id}`;

function load(reader: RealmReader, id: string): CachedPolicy {
  const policy = present(findPolicy(reader, id), 'a living licence follows a living policy');
  return cached(policy, entitlementsOfPolicies(reader, [id]).get(id) ?? []);
}

function cached(policy: Policy, entitlements: readonly EntitlementRef[]): CachedPolicy {
  const { id, productId, name, code, version } = policy;
  return Object.freeze({ id, productId, name, code, version, settings: settingsOf(policy), entitlements });
}
