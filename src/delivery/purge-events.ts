import type { EpochMs } from '../lib/clock.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import type { UnitOfWork } from '../storage/unit-of-work.ts';
import { deleteEventsUpTo, oldEventsEnd } from './event-store.ts';

/** Name of the job. */
export const EVENT_PURGE_JOB = 'event-purge';

/** What purging events needs. */
export interface PurgeEventsDeps {
  readonly work: Pick<UnitOfWork, 'keep'>;
  /** Trusted time. */
  readonly time: { now(): EpochMs };
  /** How long an event can be read, in milliseconds. */
  readonly keepEventsMs: number;
}

/** Events deleted in one unit: a few milliseconds. */
const PER_UNIT = 200;

/**
 * Deletes the events of a realm that are older than they are kept, the oldest first. A reader that stayed away longer goes
 * on with the oldest there is.
 * @returns how many
 */
export async function purgeEvents(deps: PurgeEventsDeps, realm: RealmId): Promise<number> {
  const before = deps.time.now() - deps.keepEventsMs;
  let deleted = 0;
  for (;;) {
    const gone = await deps.work.keep(EVENT_PURGE_JOB, (tx) => {
      const rows = tx.in(realm);
      const end = oldEventsEnd(rows, { before, limit: PER_UNIT });
      return end === undefined ? 0 : deleteEventsUpTo(rows, end);
    });
    deleted += gone;
    if (gone < PER_UNIT) return deleted;
  }
}
