import { DAY, type EpochMs } from '../../lib/clock.ts';
import type { RealmTx } from '../../storage/tx.ts';
import { findListHead, noteFileEpoch, outdateList } from './revocation-list-store.ts';

/** No policy lets a file live longer. */
const LONGEST_FILE_MS = 3650 * DAY;

/**
 * After a restore, in the unit that begins the new branch: files were issued that this database does not know, and none of
 * them may be refused for the number it names. The next list that is asked for is made anew: a newer one than this database
 * holds was given out.
 */
export function holdEpochs(tx: RealmTx, now: EpochMs): void {
  noteFileEpoch(tx, { number: findListHead(tx)?.number ?? 0, until: now + LONGEST_FILE_MS });
  outdateList(tx);
}
