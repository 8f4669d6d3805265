import { Fault } from '../../faults.ts';
import type { RealmId } from '../../storage/realm-scope.ts';

/** A batch is over within a second or two; whoever is turned away comes back then. */
const RETRY_AFTER_MS = 1000;

/** Which realms have a batch running: one at a time each, so that a batch never waits behind ten others of its realm. */
export class RunningBatches {
  readonly #realms = new Set<RealmId>();

  /**
   * Runs `batch` as the one batch of its realm.
   * @throws Fault CONFLICT when another one runs; what `batch` throws
   */
  async run<T>(realm: RealmId, batch: () => Promise<T>): Promise<T> {
    if (this.#realms.has(realm)) {
      const message = 'another batch of this realm is running; send this one when it has been answered';
      throw new Fault('CONFLICT', message, { retryAfterMs: RETRY_AFTER_MS });
    }
    this.#realms.add(realm);
    try {
      return await batch();
    } finally {
      this.#realms.delete(realm);
    }
  }
}
