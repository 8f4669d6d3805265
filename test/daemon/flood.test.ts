import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { auditDatabase } from '../campaigns/audit-database.ts';
import { crowd, inParallel } from '../support/clients.ts';
import { dataOf, type RunningDaemon, send, startDaemon, temporaryDirectory } from '../support/daemon.ts';
import { Database } from '../../src/storage/database.ts';

/** `npm run test:flood` sends a million. */
const REQUESTS = Number(process.env['CAMPAIGN_REQUESTS'] ?? '20000');
const ADDRESSES = 200;
const LANES = 64;
const MIB = 1024 * 1024;
/** What any number of refused requests may add. */
const GROWTH_LIMIT = 3 * MIB;

describe('a flood of refused requests', () => {
  it(`of ${String(REQUESTS)} adds less than 3 MiB, and every single one is counted`, async () => {
    using directory = temporaryDirectory();
    const place = join(directory.path, 'appliance');
    const database = join(place, 'data', 'mintmark.db');
    const reader = await makeReader(place);
    const before = statSync(database).size;
    const counted = refusalsIn(database);
    const daemon = await startDaemon(place);
    const flood = await refuse(daemon, { reader, database });
    expect(await daemon.stop()).toBe(0);
    console.info(
      `${JSON.stringify(flood.statuses)}, largest growth ${String(flood.largest - before)} bytes, left ${String(statSync(database).size - before)}`,
    );
    // A request of somebody unknown, one of a known key without the scope, and those beyond the limit of an address.
    expect(Object.keys(flood.statuses).sort()).toEqual(['401', '403', '429']);
    expect(flood.largest - before).toBeLessThan(GROWTH_LIMIT);
    expect(statSync(database).size - before).toBeLessThan(GROWTH_LIMIT);
    expect(refusalsIn(database) - counted).toBe(REQUESTS);
    expect(auditDatabase(database).problems).toEqual([]);
  });
});

/** Makes the appliance and a key that may read products and nothing else. */
async function makeReader(place: string): Promise<string> {
  const daemon = await startDaemon(place);
  const owner = { url: daemon.url, key: daemon.live.secretKey };
  const body = { name: 'Reader', scopes: ['products:read'] };
  const made = await dataOf(send(owner, { method: 'POST', path: '/api-keys', body }));
  await daemon.stop();
  return String(made['key']);
}

async function refuse(
  daemon: RunningDaemon,
  given: { readonly reader: string; readonly database: string },
): Promise<{ statuses: Record<string, number>; largest: number }> {
  await using clients = crowd(daemon.url, { addresses: ADDRESSES });
  const statuses: Record<string, number> = {};
  let largest = 0;
  await inParallel(REQUESTS, LANES, async (number) => {
    const answer = await clients.send(refused(number, given.reader));
    const status = String(answer.status);
    statuses[status] = (statuses[status] ?? 0) + 1;
    if (number % 500 === 0) largest = Math.max(largest, sizeOf(given.database));
  });
  return { statuses, largest: Math.max(largest, sizeOf(given.database)) };
}

const PATHS = ['/licenses', '/machines', '/policies', '/api-keys', '/events', '/audit', '/entitlements'];

/** Every other one by somebody who is known and may not; the rest shows nothing, nonsense, or a key that nobody has. */
function refused(number: number, reader: string) {
  const path = PATHS[number % PATHS.length] ?? '/licenses';
  const credentials = [
    { authorization: `Bearer ${reader}` },
    { authorization: `Bearer ${reader.slice(0, -10)}${String(number).padStart(10, '0')}` },
    { authorization: `Bearer ${reader}` },
    {},
    { 'x-api-key': `nonsense-${String(number)}` },
  ];
  return { method: 'GET', path, headers: credentials[number % credentials.length] ?? {} };
}

/** The database and its log, as they lie on the disk. */
function sizeOf(database: string): number {
  const log = statSync(`${database}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  return statSync(database).size + log;
}

/** Refusals that the ledger tells of. */
function refusalsIn(path: string): number {
  const database = Database.openReader(path);
  try {
    const sql = `SELECT coalesce(sum(
        coalesce(json_extract(CAST(bytes AS TEXT), '$.facts.count'),
                 json_extract(CAST(bytes AS TEXT), '$.facts.total'))), 0)
      FROM ledger_entries
      WHERE json_extract(CAST(bytes AS TEXT), '$.action') IN ('access.refused', 'access.refusals_counted')`;
    return Number(database.native.prepare(sql).pluck().get());
  } finally {
    database.close();
  }
}
