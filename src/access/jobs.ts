import type { Job } from '../jobs/schedule.ts';
import { MINUTE, SECOND } from '../lib/clock.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import { ANNOUNCE_KEYS_JOB, announceKeys, type AnnounceKeysDeps } from './api-keys/announce-keys.ts';
import type { KeyUsage } from './api-keys/key-usage.ts';
import { BULK_READS_JOB, type BulkReads } from './bulk-reads.ts';
import { purgeUsage, type PurgeUsageDeps } from './usage/purge-usage.ts';
import type { UsageLog } from './usage/usage-log.ts';

/** What the timed work of access needs. */
export interface AccessJobsDeps {
  readonly keyUsage: KeyUsage;
  readonly bulkReads: BulkReads;
  readonly usageLog: UsageLog;
  readonly usagePurge: PurgeUsageDeps;
  readonly keyNotices: AnnounceKeysDeps;
  /** Realms of tenants. */
  readonly realms: () => readonly RealmId[];
  /** False in states in which nothing may be written. */
  readonly mayRecord: () => boolean;
  /** False in states in which nothing is done by time. */
  readonly mayRunJobs: () => boolean;
}

const PURGE_EVERY_MS = 10 * MINUTE;

/** Writes who used what, once a second; at stop the wiring flushes once more. Tells of keys, and purges what is old. */
export function accessJobs(deps: AccessJobsDeps): readonly Job[] {
  const { mayRecord, mayRunJobs } = deps;
  return [
    { name: 'api-key-usage', everyMs: SECOND, run: () => deps.keyUsage.flush(), mayRun: mayRecord },
    { name: 'usage-log', everyMs: SECOND, run: () => deps.usageLog.flush(), mayRun: mayRecord },
    {
      name: BULK_READS_JOB,
      everyMs: MINUTE,
      run: () => deps.bulkReads.record({ last: false }),
      mayRun: mayRecord,
    },
    {
      name: ANNOUNCE_KEYS_JOB,
      everyMs: MINUTE,
      run: async () => {
        for (const realm of deps.realms()) await announceKeys(deps.keyNotices, realm);
      },
      mayRun: mayRunJobs,
    },
    {
      name: 'usage-purge',
      everyMs: PURGE_EVERY_MS,
      run: () => purgeUsage(deps.usagePurge),
      mayRun: mayRunJobs,
    },
  ];
}
