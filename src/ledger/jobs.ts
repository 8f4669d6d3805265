import type { Job } from '../jobs/schedule.ts';
import { MINUTE, SECOND } from '../lib/clock.ts';
import type { Checkpointer } from './checkpointer.ts';
import { type RecordRefusalsDeps, recordRefusals } from './record-refusals.ts';

/** What the timed work of the ledger needs. */
export interface LedgerJobsDeps extends RecordRefusalsDeps {
  readonly checkpointer: Checkpointer;
  /** Longest time an entry goes unsigned, in seconds. */
  readonly checkpointSeconds: number;
  /** False in states in which nothing may be written. */
  readonly mayRecord: () => boolean;
}

/** Checkpoints on time, and refusals once a minute. */
export function ledgerJobs(deps: LedgerJobsDeps): readonly Job[] {
  return [
    {
      name: 'ledger-checkpoint',
      everyMs: deps.checkpointSeconds * SECOND,
      run: () => deps.checkpointer.sign(),
    },
    {
      name: 'ledger-refusals',
      everyMs: MINUTE,
      run: () => recordRefusals(deps),
      mayRun: deps.mayRecord,
    },
  ];
}
