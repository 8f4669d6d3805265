import type { Job } from '../../jobs/schedule.ts';
import { HOUR, MINUTE } from '../../lib/clock.ts';
import {
  ACTIVATE_JOB,
  activateDueKeys,
  type KeyTimesDeps,
  REMIND_JOB,
  remindOfKeys,
  ROTATE_JOB,
  rotateByAge,
} from './key-times.ts';

/** What the timed work of signing keys needs. */
export interface SigningKeyJobsDeps extends KeyTimesDeps {
  /** False while time is in doubt: what it does for good waits. */
  readonly mayEnd: () => boolean;
}

/** Keys that are due take over, others get a successor by age, and licence keys are reminded of. */
export function signingKeyJobs(deps: SigningKeyJobsDeps): Job[] {
  const mayRun = deps.mayEnd;
  return [
    { name: ACTIVATE_JOB, everyMs: MINUTE, mayRun, run: () => activateDueKeys(deps) },
    { name: ROTATE_JOB, everyMs: HOUR, mayRun, run: () => rotateByAge(deps) },
    { name: REMIND_JOB, everyMs: HOUR, mayRun, run: () => remindOfKeys(deps) },
  ];
}
