import type { EpochMs } from '../../lib/clock.ts';
import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { WriteBehind } from '../write-behind.ts';
import { bookHeartbeat, bookMachineValidation } from './machine-store.ts';

/** What is booked of a machine without anybody waiting for it. */
export interface MachineSeen {
  /** Newest heartbeat, and when the next one is due (null: none is asked for). */
  readonly heartbeat: { readonly at: EpochMs; readonly due: EpochMs | null } | null;
  readonly validatedAt: EpochMs | null;
}

/** Heartbeats and validation times on their way to disk; `pending` is the newest of a machine not yet there. */
export type MachineUsage = WriteBehind<MachineSeen>;

/** The one buffer of heartbeats and validation times of machines. */
export function createMachineUsage(work: Pick<UnitOfWork, 'keep'>): MachineUsage {
  return new WriteBehind<MachineSeen>(work, {
    job: 'machine-usage',
    merge: (older, newer) => ({
      heartbeat: newer.heartbeat ?? older.heartbeat,
      validatedAt: newer.validatedAt ?? older.validatedAt,
    }),
    write: (tx, id, { heartbeat, validatedAt }) => {
      if (heartbeat !== null) bookHeartbeat(tx, id, heartbeat);
      if (validatedAt !== null) bookMachineValidation(tx, id, validatedAt);
    },
  });
}
