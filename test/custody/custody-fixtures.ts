import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { Fault } from '../../src/faults.ts';
import { systemRandom } from '../../src/lib/random.ts';
import { Database } from '../../src/storage/database.ts';
import { migrate } from '../../src/storage/migrate.ts';
import { insertTenant, NO_LIMITS, type TenantRealms } from '../../src/storage/realms.ts';
import type { Tx } from '../../src/storage/tx.ts';
import { UnitOfWork } from '../../src/storage/unit-of-work.ts';
import type { Authority, EntryDraft, Journal } from '../../src/storage/journal.ts';

/** In whose name the tests write. */
export const TEST_AUTHORITY: Authority = {
  actor: { kind: 'system', id: 'test', via: 'job' },
  requestId: 'test',
  realm: null,
};

/** A store of its own with a unit of work that keeps the entries it is given in memory. */
export interface KeyStore {
  readonly directory: string;
  readonly database: Database;
  readonly work: UnitOfWork<number>;
  readonly entries: EntryDraft[];
}

/** The code of the fault that `run` throws; `none` when it throws nothing. */
export function faultCode(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
  return 'none';
}

/** The same bytes with one bit turned over. */
export function flipBit(bytes: Buffer, bit: number): Buffer {
  const flipped = Buffer.from(bytes);
  flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return flipped;
}

/** A directory that is gone after the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'mintmark-custody-'));
  onTestFinished(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

/** A migrated database in a temporary directory. */
export async function openKeyStore(directory = temporaryDirectory()): Promise<KeyStore> {
  const store = await openStoreIn(directory);
  onTestFinished(() => closeKeyStore(store));
  return store;
}

/** A migrated database in a directory that the caller looks after; he closes it, too. */
export async function openStoreIn(directory: string): Promise<KeyStore> {
  const database = Database.openWriter(join(directory, 'mintmark.db'));
  await migrate(database);
  const entries: EntryDraft[] = [];
  const work = new UnitOfWork({
    database,
    journal: journalInto(entries),
    time: { now: () => 1_700_000_000_000, persist: () => undefined },
    onFatal: (error) => {
      throw error;
    },
    monotonic: () => performance.now(),
  });
  return { directory, database, work, entries };
}

/** Closes a store that may have been closed before. */
export async function closeKeyStore(store: KeyStore): Promise<void> {
  if (!store.database.native.open) return;
  await settled(store);
  store.database.close();
}

/** Lets everything that is under way come to rest: a reservation, the rotation after it, the checkpoint after that. */
export async function settled({ work }: KeyStore): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await work.keep('test', () => undefined);
  await setImmediate();
}

/** Runs a unit that is recorded under one entry. */
export function recorded<T>(store: KeyStore, unit: (tx: Tx) => T): Promise<T> {
  return store.work.run(TEST_AUTHORITY, ((tx: Tx) => {
    tx.record({ realm: null, action: 'test.done', target: { kind: 'test', id: 'test' }, outcome: 'done' });
    return unit(tx);
  }) as (tx: Tx) => never); // units here are synchronous; the compiler cannot see it of a free T
}

/** A stored tenant with its two realms. */
export function addTenant(tx: Tx, id: string): TenantRealms {
  const limits = { ...NO_LIMITS, contact: null };
  return insertTenant(tx, { id, code: id, name: id, tier: 'standard', ...limits });
}

/** The system's generator, as everything but a nonce test wants it. */
export const random = systemRandom;

function journalInto(entries: EntryDraft[]): Journal<number> {
  let head = 0;
  return {
    head: () => head,
    append: (_tx, at, drafts) => {
      entries.push(...drafts);
      return at + drafts.length;
    },
    publish: (next) => {
      head = next;
    },
  };
}
