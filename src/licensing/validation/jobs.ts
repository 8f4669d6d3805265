import type { Job } from '../../jobs/schedule.ts';
import { SECOND } from '../../lib/clock.ts';
import type { ValidationCounts } from '../analytics/validation-counts.ts';
import type { LicenseUsage } from './license-usage.ts';

/** Validation counters to disk each second; at stop the daemon flushes once more. */
export function validationJobs(deps: {
  readonly licenseUsage: LicenseUsage;
  readonly validationCounts: ValidationCounts;
}): readonly Job[] {
  return [
    { name: 'license-usage', everyMs: SECOND, run: () => deps.licenseUsage.flush() },
    { name: 'validation-counts', everyMs: SECOND, run: () => deps.validationCounts.flush() },
  ];
}
