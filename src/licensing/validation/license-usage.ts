import type { UnitOfWork } from '../../storage/unit-of-work.ts';
import { WriteBehind } from '../write-behind.ts';
import { addUsage, type UsageChange } from './usage-store.ts';

/** Counters of licences on their way to disk; `pending` is what reads have to add. */
export type LicenseUsage = WriteBehind<UsageChange>;

/** The one buffer of validation counters. */
export function createLicenseUsage(work: Pick<UnitOfWork, 'keep'>): LicenseUsage {
  return new WriteBehind<UsageChange>(work, {
    job: 'license-usage',
    merge: (older, newer) => ({
      uses: older.uses + newer.uses,
      validations: older.validations + newer.validations,
      at: newer.at,
    }),
    write: addUsage,
  });
}
