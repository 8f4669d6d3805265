import { DAY, HOUR } from '../../lib/clock.ts';
import type { RealmId } from '../../storage/realm-scope.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { purgeTotals, purgeUses } from './usage-store.ts';

/** Rows deleted in one unit: a slice that does not hold the event loop. */
const SLICE = 500;

/** What purging the log needs. */
export interface PurgeUsageDeps {
  readonly work: Pick<UnitOfWork, 'keep'>;
  /** Every realm, the appliance's own too. */
  readonly realms: () => readonly RealmId[];
  readonly retentionDays: number;
  /** Rows of one realm; the oldest beyond them go earlier. */
  readonly rowsKept: number;
}

/** Deletes what is older than its retention or more than there is room for, realm by realm and slice by slice. */
export async function purgeUsage({ work, realms, retentionDays, rowsKept }: PurgeUsageDeps): Promise<void> {
  for (const realm of realms()) {
    let deleted = SLICE;
    while (deleted > 0) {
      deleted = await work.keep('usage-purge', (tx) => {
        const cutoff = tx.now - retentionDays * DAY;
        purgeTotals(tx.in(realm), Math.floor(cutoff / HOUR));
        return purgeUses(tx.in(realm), { cutoff, keep: rowsKept, limit: SLICE });
      });
    }
  }
}
