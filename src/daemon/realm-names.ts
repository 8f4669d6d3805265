import type { RealmName } from '../access/index.ts';
import { invariant } from '../lib/invariant.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import { listRealms } from '../storage/realms.ts';
import type { Reader } from '../storage/tx.ts';

/** Which tenant and environment each realm number stands for; a handful of rows, kept in memory. */
export class RealmNames {
  readonly #reader: Reader;
  #names = new Map<RealmId, RealmName>();

  constructor(reader: Reader) {
    this.#reader = reader;
    this.reload();
  }

  /** Reads them anew; called after a tenant was made. */
  reload(): void {
    this.#names = new Map(listRealms(this.#reader).map(({ realm, ...name }) => [realm, name]));
  }

  /** The name of a realm that exists. */
  of(realm: RealmId): RealmName {
    const known = this.#names.get(realm);
    if (known !== undefined) return known;
    this.reload();
    const found = this.#names.get(realm);
    invariant(found !== undefined, 'a realm belongs to a tenant');
    return found;
  }

  /** All realms of tenants. */
  all(): readonly RealmId[] {
    return [...this.#names.keys()];
  }
}
