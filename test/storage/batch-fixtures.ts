import type { EntryDraft } from '../../src/storage/journal.ts';
import { statement } from '../../src/storage/statement.ts';
import type { Tx } from '../../src/storage/tx.ts';
import { DiskFaults } from '../support/disk-faults.ts';
import { openTestStorage, type TestStorage } from '../support/storage.ts';

const KEEP = statement<{ job: string; state: string }>()((db, p) =>
  db.insertInto('job_state').values({ job: p.job, state: p.state, updated_at: 0 }),
);

const SET = statement<{ key: string }>()((db, p) =>
  db.insertInto('settings').values({ key: p.key, value: '' }),
);

/** Writes a bookkeeping row. */
export function keepRow(tx: Tx, job: string, state = ''): void {
  tx.run(KEEP, { job, state });
}

/** Writes a recorded row, without an entry. */
export function setRow(tx: Tx, key: string): void {
  tx.run(SET, { key });
}

/** An entry of the log. */
export function entry(id: string): EntryDraft {
  return { realm: null, action: 'test.done', target: { kind: 'test', id }, outcome: 'done' };
}

/** Names of all bookkeeping rows that are stored. */
export function kept(storage: TestStorage): string[] {
  return storage.database.native.prepare('SELECT job FROM job_state ORDER BY job').pluck().all() as string[];
}

/** A storage whose disk fails on demand. */
export async function openFaulty(): Promise<{ storage: TestStorage; faults: DiskFaults }> {
  let faults: DiskFaults | undefined;
  const storage = await openTestStorage({
    database: (path) => {
      faults = new DiskFaults(path);
      return faults.database;
    },
  });
  if (faults === undefined) throw new Error('the storage opened its database');
  faults.executed.length = 0;
  return { storage, faults };
}

/** What became of a promise by now: nothing is waited for but `turns` turns of the event loop. */
export async function outcomesAfter(turns: number, promises: readonly Promise<unknown>[]): Promise<string[]> {
  const states = promises.map(() => 'pending');
  for (const [i, promise] of promises.entries()) {
    promise.then(
      () => (states[i] = 'resolved'),
      () => (states[i] = 'rejected'),
    );
  }
  for (let i = 0; i < turns; i++) await new Promise(setImmediate);
  return states;
}

/** How every promise ended. */
export async function settled(promises: readonly Promise<unknown>[]): Promise<string[]> {
  const results = await Promise.allSettled(promises);
  return results.map((result) => (result.status === 'fulfilled' ? 'ok' : codeOf(result.reason)));
}

function codeOf(reason: unknown): string {
  if (reason instanceof Error && 'code' in reason) return String(reason.code);
  return reason instanceof Error ? reason.message : String(reason);
}
