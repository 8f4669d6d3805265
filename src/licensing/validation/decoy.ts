import type { Sealer } from '../../custody/sealer.ts';
import { Fault } from '../../faults.ts';
import type { Random } from '../../lib/random.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import { decoyRealm } from './decoy-store.ts';

/** As long as a licence key. */
const BYTES = 24;
/** An id that no licence has. */
const NOWHERE = 'lic_00000000000000000000000000';

/**
 * What an unknown licence key is worked on: a licence that does not exist and a sealed value that nobody needs, so that
 * the way to `NOT_FOUND` does the same work as the way to an answer.
 */
export class Decoy {
  readonly #sealer: Sealer;
  readonly #random: Random;
  #sealed: Buffer | undefined;

  constructor(deps: { readonly sealer: Sealer; readonly random: Random }) {
    this.#sealer = deps.sealer;
    this.#random = deps.random;
  }

  /** Where to look for a licence that is not there. */
  place(realm: RealmId | null): { readonly realm: RealmId; readonly licenseId: string } {
    return { realm: realm ?? decoyRealm(), licenseId: NOWHERE };
  }

  /** Opens a sealed value of the length of a licence key. @throws Fault SEALED */
  open(): void {
    const cell = { realm: decoyRealm(), table: 'licenses', column: 'key_sealed', row: NOWHERE };
    this.#sealed ??= this.#sealer.seal(cell, this.#random.bytes(BYTES));
    try {
      this.#sealer.open(cell, this.#sealed);
    } catch (error) {
      // The key that it was sealed under is gone: this value stands in no table, and nobody has sealed it anew.
      this.#sealed = undefined;
      if (!(error instanceof Fault && error.code === 'KEY_STORAGE')) throw error;
    }
  }
}
