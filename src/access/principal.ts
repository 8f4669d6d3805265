import type { Actor } from '../storage/journal.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import type { Tier } from './api-keys/api-key.ts';
import type { Scope } from './scopes.ts';

/** Which tenant and environment a realm number stands for, as the API and events show it. */
export interface RealmName {
  readonly tenantId: string;
  readonly tenantCode: string;
  readonly environment: 'live' | 'test';
}

/** Who a request is from, proven. */
export type Principal =
  | { readonly kind: 'operator'; readonly actor: Actor; readonly realm: RealmId | null }
  | {
      readonly kind: 'secret-key' | 'publishable-key';
      readonly actor: Actor;
      readonly realm: RealmId;
      readonly scopes: ReadonlySet<Scope>;
      /** How much the key may ask for. */
      readonly tier: Tier;
      /** Ids of the products the key is limited to; absent or empty: none, it is for all. */
      readonly products?: readonly string[];
    }
  | { readonly kind: 'license'; readonly actor: Actor; readonly realm: RealmId; readonly licenseId: string }
  | { readonly kind: 'anonymous'; readonly actor: Actor; readonly realm: null };

/** The kinds of principal, for route tables. */
export type PrincipalKind = Principal['kind'];
