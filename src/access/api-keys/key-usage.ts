import type { Sealer } from '../../custody/sealer.ts';
import type { EpochMs } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { noteUse } from './api-key-store.ts';

/** Keys whose last use waits to be written; there are never nearly as many in one second. */
const KEYS_KEPT = 10_000;
/** Rows of one unit. */
const SLICE = 500;

interface Use {
  readonly realm: RealmId;
  readonly id: string;
  readonly at: EpochMs;
  readonly from: string;
}

/** What writing uses needs. */
export interface KeyUsageDeps {
  readonly work: Pick<UnitOfWork, 'keep'>;
  readonly sealer: Pick<Sealer, 'seal'>;
}

/**
 * When and from where each key was last used: kept in memory and written once a second and at stop, so that no request
 * waits for it. A crash loses about a second of it.
 */
export class KeyUsage {
  readonly #deps: KeyUsageDeps;
  #uses = new Map<string, Use>();

  constructor(deps: KeyUsageDeps) {
    this.#deps = deps;
  }

  /** Notes a use; the newest one of each key counts. */
  note(use: Use): void {
    if (this.#uses.size < KEYS_KEPT || this.#uses.has(use.id)) this.#uses.set(use.id, use);
  }

  /** Writes what has come together. @throws Fault DISK_FULL, OVERLOADED: what waited is gone then */
  async flush(): Promise<void> {
    const uses = [...this.#uses.values()];
    this.#uses = new Map();
    for (let at = 0; at < uses.length; at += SLICE) {
      const slice = uses.slice(at, at + SLICE);
      await this.#deps.work.keep('api-key-usage', (tx) => {
        for (const use of slice) noteUse(tx.in(use.realm), this.#deps.sealer, use);
      });
    }
  }
}
