import type { Job } from '../jobs/schedule.ts';
import { SECOND } from '../lib/clock.ts';
import type { KeyUsage } from './api-keys/key-usage.ts';

/** What the timed work of access needs. */
export interface AccessJobsDeps {
  readonly usage: KeyUsage;
  /** False in states in which nothing may be written. */
  readonly mayRecord: () => boolean;
}

/** Writes when keys were last used, once a second; at stop the wiring calls `usage.flush()` once more. */
export function accessJobs(deps: AccessJobsDeps): readonly Job[] {
  return [{ name: 'api-key-usage', everyMs: SECOND, run: () => deps.usage.flush(), mayRun: deps.mayRecord }];
}
