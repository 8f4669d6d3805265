import { isDeepStrictEqual } from 'node:util';
import type { EpochMs } from '../lib/clock.ts';

/** What every edit of a row changes. */
interface Edited {
  readonly version: number;
  readonly updatedAt: EpochMs;
}

/**
 * Whether an edited row says what it said before, the marks of the edit itself left out: such an edit is not worth a
 * write, an entry or an event, and whoever may edit could fill the disk with them.
 */
export function saysTheSame<Row extends Edited>(before: Row, after: Row): boolean {
  const { version, updatedAt } = before;
  return isDeepStrictEqual({ ...before }, { ...after, version, updatedAt });
}
