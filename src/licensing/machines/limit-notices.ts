import { type EpochMs, MINUTE } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';

/** A licence at a limit is told of once in this time, however often it is asked. */
const QUIET_MS = MINUTE;
/** Licences remembered; beyond that the one told of longest ago is forgotten, and may be told of again. */
const LICENSES = 10_000;

/** Which limit: its seats, or the different machines of its life. */
export type LimitKind = 'machines' | 'fingerprints';

/** One limit of one licence. */
export interface LimitOf {
  readonly realm: RealmId;
  readonly licenseId: string;
  readonly limit: LimitKind;
}

interface Notice {
  readonly at: EpochMs;
  /** Refusals since, which the next notice names. */
  untold: number;
}

/**
 * When a limit of a licence was last announced. Each refused activation leaves an entry and an event, but whoever
 * asks a full licence a million times does not fill the disk: in an unbroken row of refusals one a minute is written,
 * with the number of those in between.
 */
export class LimitNotices {
  readonly #told = new Map<string, Notice>();

  /** How many refusals a notice written now stands for; null: none is due, this refusal is only counted. */
  due(of: LimitOf, now: EpochMs): number | null {
    const notice = this.#told.get(keyOf(of));
    if (notice === undefined || now - notice.at >= QUIET_MS) return (notice?.untold ?? 0) + 1;
    notice.untold += 1;
    return null;
  }

  /** A notice is durable. */
  told(of: LimitOf, at: EpochMs): void {
    const key = keyOf(of);
    this.#told.delete(key); // re-inserted as the youngest
    this.#told.set(key, { at, untold: 0 });
    if (this.#told.size <= LICENSES) return;
    const [oldest] = this.#told.keys();
    if (oldest !== undefined) this.#told.delete(oldest);
  }

  /** A seat was given again: the next refusal is news. */
  forget(realm: RealmId, licenseId: string): void {
    this.#told.delete(keyOf({ realm, licenseId, limit: 'machines' }));
  }
}

const keyOf = ({ realm, licenseId, limit }: LimitOf): string => `${realm} ${licenseId} ${limit}`;
