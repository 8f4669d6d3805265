import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { auditDatabase } from '../campaigns/audit-database.ts';
import { mutationCampaign } from '../campaigns/mutation-campaign.ts';
import { temporaryDirectory } from '../support/daemon.ts';

/** `npm run test:mutated` sends more. */
const REQUESTS = Number(process.env['CAMPAIGN_REQUESTS'] ?? '2000');
const MIB = 1024 * 1024;
/** reliability.md, memory under load. */
const MEMORY_LIMIT = 400 * MIB;

describe('broken requests', () => {
  it(`are refused in words, ${String(REQUESTS)} of them, without a 5xx, a look inside, or unbounded memory`, async () => {
    using directory = temporaryDirectory();
    const seed = Number(process.env['CAMPAIGN_SEED'] ?? Date.now() % 1_000_000);
    const report = await mutationCampaign({ directory: directory.path, requests: REQUESTS, seed });
    const { early, most } = report.memory;
    console.info(
      `seed ${String(seed)}: ${JSON.stringify(report.statuses)}, ${String(Math.round(most / MIB))} MiB`,
    );
    expect(report).toMatchObject({ wrong: [], unasked: [], stillServes: true, exitCode: 0, log: '' });
    // Requests that all fail at the first check would show little; those that all succeed would too.
    for (const status of ['200', '201', '400', '404', '422']) {
      expect(report.statuses[status] ?? 0, status).toBeGreaterThan(REQUESTS / 500);
    }
    expect(most).toBeLessThan(MEMORY_LIMIT);
    expect(early).toBeGreaterThan(20 * MIB);
    expect(auditDatabase(join(directory.path, 'appliance', 'data', 'mintmark.db')).problems).toEqual([]);
  });
});
