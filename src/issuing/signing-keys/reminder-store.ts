import { readJobState, writeJobState } from '../../storage/job-state-store.ts';
import type { Reader, Tx } from '../../storage/tx.ts';
import type { EpochMs } from '../../lib/clock.ts';

const keyOf = (kid: string): string => `remind-signing-keys:${kid}`;

/** When the rotation of a key was last asked for; null: never. */
export function remindedAt(reader: Reader, kid: string): EpochMs | null {
  const state = readJobState(reader, keyOf(kid));
  return state === undefined ? null : Number(state);
}

/** Notes that it was asked for now. */
export function noteReminded(tx: Tx, kid: string): void {
  writeJobState(tx, keyOf(kid), String(tx.now));
}
