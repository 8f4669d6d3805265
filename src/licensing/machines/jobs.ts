import type { Job } from '../../jobs/schedule.ts';
import { MINUTE, SECOND } from '../../lib/clock.ts';
import type { MachineUsage } from './machine-usage.ts';
import { releaseSeats } from './release-seats.ts';
import { type SweepDeps, sweepHeartbeats } from './sweep-heartbeats.ts';
import { SWEEP_JOB } from './sweep-hold.ts';

/** What the timed work of machines needs. */
export interface MachineJobsDeps extends SweepDeps {
  readonly machineUsage: MachineUsage;
  /** True while acts that cannot be undone may run: the appliance is ready and its clock beyond suspicion. */
  readonly mayEnd: () => boolean;
}

/** Heartbeats to disk each second; the dead and the seats that are free again each minute. */
export function machineJobs(deps: MachineJobsDeps): readonly Job[] {
  return [
    { name: 'machine-usage', everyMs: SECOND, run: () => deps.machineUsage.flush() },
    {
      name: SWEEP_JOB,
      everyMs: MINUTE,
      mayRun: deps.mayEnd,
      run: async () => {
        await sweepHeartbeats(deps, { job: SWEEP_JOB });
      },
    },
    {
      name: 'machine-seat-release',
      everyMs: MINUTE,
      mayRun: deps.mayEnd,
      run: async () => {
        await releaseSeats(deps);
      },
    },
  ];
}
