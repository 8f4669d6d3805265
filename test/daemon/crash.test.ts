import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import BetterSqlite3 from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { auditDatabase } from '../campaigns/audit-database.ts';
import { crashCampaign } from '../campaigns/crash.ts';
import { temporaryDirectory } from '../support/daemon.ts';

/** `npm run test:crash` sets more. */
const KILLS = Number(process.env['CAMPAIGN_KILLS'] ?? '50');
const CLIENTS = 8;

describe('an appliance that is killed', () => {
  it(`keeps everything it acknowledged, once, through ${String(KILLS)} kills under load`, async () => {
    using directory = temporaryDirectory();
    const seed = Number(process.env['CAMPAIGN_SEED'] ?? Date.now() % 1_000_000);
    const plan = { directory: directory.path, kills: KILLS, clients: CLIENTS, seed };
    const report = await crashCampaign(plan);
    console.info(
      `seed ${String(seed)}: ${String(report.acknowledged)} acknowledged, slowest start ${report.slowestStartMs.toFixed(0)} ms`,
    );
    expect(report).toMatchObject({ kills: KILLS, lost: [], twice: [], problems: [] });
    // A campaign in which nothing was acknowledged would have shown nothing.
    expect(report.acknowledged).toBeGreaterThan(KILLS);
    expect(report.keptAnswers).toBe(report.acknowledged);
    expectAuditToFind(join(directory.path, 'appliance', 'data', 'mintmark.db'), directory.path);
  });
});

/** The audit would not be worth much if it found nothing in a database that somebody has changed. */
function expectAuditToFind(database: string, into: string): void {
  const damages: readonly { sql: string; says: RegExp }[] = [
    { sql: 'UPDATE license_seats SET seats = seats + 1', says: /seats/ },
    { sql: "UPDATE events SET body = CAST('{' AS BLOB) WHERE position = 1", says: /event/ },
    { sql: 'UPDATE ledger_entries SET hash = zeroblob(32) WHERE position = 3', says: /ledger: / },
    {
      sql: "UPDATE ledger_entries SET bytes = CAST(replace(CAST(bytes AS TEXT), 'license.created', 'license.updated') AS BLOB)",
      says: /has 0 entries license\.created/,
    },
  ];
  for (const [number, { sql, says }] of damages.entries()) {
    const copy = join(into, `damaged-${String(number)}.db`);
    copyFileSync(database, copy);
    const handle = new BetterSqlite3(copy);
    handle.exec(sql);
    handle.close();
    expect(auditDatabase(copy).problems.join('\n'), sql).toMatch(says);
  }
}
