import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database } from '../../src/storage/database.ts';
import type { Indexer, Sealer } from '../../src/custody/sealer.ts';
import type { Authority, Journal } from '../../src/storage/journal.ts';
import { migrate } from '../../src/storage/migrate.ts';
import type { RealmId } from '../../src/storage/realm-scope.ts';
import { insertTenant, NO_LIMITS, type TenantRealms } from '../../src/storage/realms.ts';
import { UnitOfWork, type TrustedTime } from '../../src/storage/unit-of-work.ts';
import { HeldClock } from './held-clock.ts';
import { PlainJournal, type PlainHead } from './plain-journal.ts';
import { testSealing } from './sealing.ts';

/** A tenant of the fixture. */
export interface TestTenant extends TenantRealms {
  readonly tenantId: string;
}

/** What a test may choose; the defaults fit most. */
export interface TestStorageChoices {
  /** Opens this directory again instead of making a fresh one; it is not removed at the end. */
  readonly directory?: string;
  /** Wraps or replaces the connection, to inject faults at the edge. */
  readonly database?: (path: string) => Database;
}

/** A migrated database in a temporary directory, its unit of work, and two tenants with both their realms. */
export interface TestStorage extends AsyncDisposable {
  readonly directory: string;
  /** Path of the database file. */
  readonly path: string;
  readonly database: Database;
  readonly work: UnitOfWork<PlainHead>;
  readonly journal: PlainJournal;
  /** Trusted time of every unit is this clock's wall time. */
  readonly clock: HeldClock;
  readonly sealer: Sealer;
  readonly indexer: Indexer;
  /** Gives every realm another index key. */
  rotateIndexKey(): void;
  /** What was reported as fatal. */
  readonly fatal: readonly Error[];
  readonly acme: TestTenant;
  readonly globex: TestTenant;
  /** In whose name a unit may run in a test; null: the appliance. */
  authority(realm: RealmId | null): Authority;
}

/** Fills a fresh directory or opens a given one. `await using storage = await openTestStorage()`. */
export async function openTestStorage(choices: TestStorageChoices = {}): Promise<TestStorage> {
  const directory = choices.directory ?? mkdtempSync(join(tmpdir(), 'mintmark-storage-'));
  const path = join(directory, 'mintmark.db');
  const database = (choices.database ?? ((file: string) => Database.openWriter(file)))(path);
  await migrate(database);
  const clock = new HeldClock();
  const fatal: Error[] = [];
  const journal = new PlainJournal(countEntries(database));
  const work = testWork(database, { journal, clock, fatal });
  const tenants = await twoTenants(work, database);
  return {
    directory,
    path,
    database,
    work,
    journal,
    clock,
    fatal,
    ...testSealing(),
    ...tenants,
    authority: testAuthority,
    async [Symbol.asyncDispose]() {
      await work.stop();
      database.close();
      if (choices.directory === undefined) rmSync(directory, { recursive: true });
    },
  };
}

/** In whose name a unit may run in a test. */
export function testAuthority(realm: RealmId | null): Authority {
  return { actor: { kind: 'operator', id: 'op_test', via: 'socket' }, requestId: 'req_test', realm };
}

/** A unit of work over a database, with a held clock as trusted time. */
export function testWork<Head>(
  database: Database,
  given: { journal: Journal<Head>; clock: HeldClock; fatal: Error[] },
): UnitOfWork<Head> {
  const { journal, clock, fatal } = given;
  const time: TrustedTime = { now: () => clock.wall(), persist: () => undefined };
  return new UnitOfWork({
    database,
    journal,
    time,
    onFatal: (error) => fatal.push(error),
    monotonic: () => clock.monotonic(),
  });
}

async function twoTenants(
  work: UnitOfWork<PlainHead>,
  database: Database,
): Promise<{ acme: TestTenant; globex: TestTenant }> {
  const known = database.native.prepare('SELECT count(*) FROM tenants').pluck().get();
  if (known !== 0) return { acme: realmsAt('acme', 1), globex: realmsAt('globex', 3) };
  return work.run(testAuthority(null), (tx) => {
    const add = (code: string): TestTenant => {
      const tenantId = `ten_${code}`;
      const limits = { tier: 'standard', ...NO_LIMITS, contact: null };
      tx.record({
        realm: null,
        action: 'tenant.created',
        target: { kind: 'tenant', id: tenantId },
        outcome: 'done',
      });
      return { tenantId, ...insertTenant(tx, { id: tenantId, code, name: code, ...limits }) };
    };
    return { acme: add('acme'), globex: add('globex') };
  });
}

/** The realms as the fixture numbered them when it made this directory. */
function realmsAt(code: string, live: number): TestTenant {
  return { tenantId: `ten_${code}`, live: live as RealmId, test: (live + 1) as RealmId };
}

function countEntries(database: Database): number {
  return Number(database.native.prepare('SELECT count(*) FROM ledger_entries').pluck().get());
}
