import { invariant } from '../../lib/invariant.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { Reader } from '../../storage/tx.ts';
import type { RealmName } from '../principal.ts';
import { realmStandings, type RealmStanding } from './tenant-store.ts';

/**
 * Which tenant and environment each realm is, and whether the tenant is active: asked with every request, changed a few
 * times a year. Kept in memory; whoever changes a tenant calls `reload` after the commit.
 */
export class RealmDirectory {
  readonly #reader: Reader;
  #standings = new Map<RealmId, RealmStanding>();

  constructor(reader: Reader) {
    this.#reader = reader;
    this.reload();
  }

  /** Reads it anew from what is committed. */
  reload(): void {
    this.#standings = new Map(realmStandings(this.#reader).map((row) => [row.realm, row]));
  }

  /** The standing of a realm that exists. */
  standing(realm: RealmId): RealmStanding {
    const found = this.#standings.get(realm);
    invariant(found !== undefined, 'a realm belongs to a tenant, and is known from its commit on');
    return found;
  }

  /** The name of a realm, as principals, events and files show it. */
  name(realm: RealmId): RealmName {
    const { tenantId, tenantCode, environment } = this.standing(realm);
    return { tenantId, tenantCode, environment };
  }

  /** Which environment a realm is. */
  environmentOf(realm: RealmId): 'live' | 'test' {
    return this.standing(realm).environment;
  }

  /** The realm of a tenant's environment, by the tenant's code. */
  byCode(tenantCode: string, environment: 'live' | 'test'): RealmId | undefined {
    return this.#living().find((row) => row.tenantCode === tenantCode && row.environment === environment)
      ?.realm;
  }

  /** The code of the one tenant there is; undefined with none or several. */
  onlyTenant(): string | undefined {
    const codes = new Set(this.#living().map(({ tenantCode }) => tenantCode));
    const [code] = codes;
    return codes.size === 1 ? code : undefined;
  }

  /** Every realm of tenants that are not erased. */
  all(): readonly RealmId[] {
    return this.#living().map(({ realm }) => realm);
  }

  #living(): RealmStanding[] {
    return [...this.#standings.values()].filter(({ status }) => status !== 'erased');
  }
}
