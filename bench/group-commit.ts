import { join } from 'node:path';
import { Database } from '../src/storage/database.ts';
import { migrate } from '../src/storage/migrate.ts';
import { statement } from '../src/storage/statement.ts';
import { UnitOfWork } from '../src/storage/unit-of-work.ts';
import type { BenchRow } from './report.ts';

/** What each commit is made to cost, so that the figure does not depend on the disk underneath. */
const CASES = [
  { fsyncMs: 2, bar: 6 },
  { fsyncMs: 5, bar: 12 },
] as const;
const CONCURRENT = 64;
const GROUPED_UNITS = 4096;
const SINGLE_UNITS = 128;

const INSERT = statement<{ job: string; now: number }>()((db, p) =>
  db
    .insertInto('job_state')
    .values({ job: p.job, state: 'x', updated_at: p.now })
    .onConflict((conflict) => conflict.column('job').doUpdateSet({ updated_at: p.now })),
);

/** Units from 64 callers in group commit, beside the same units with a commit each. */
export async function groupCommitRows(directory: string): Promise<BenchRow[]> {
  const rows: BenchRow[] = [];
  for (const { fsyncMs, bar } of CASES) rows.push(await measure(directory, fsyncMs, bar));
  return rows;
}

async function measure(directory: string, fsyncMs: number, bar: number): Promise<BenchRow> {
  const database = Database.openWriter(join(directory, `group-${String(fsyncMs)}.db`));
  await migrate(database);
  const work = unitOfWork(slowCommits(database, fsyncMs));
  const one = await rate(work, { callers: 1, units: SINGLE_UNITS });
  const grouped = await rate(work, { callers: CONCURRENT, units: GROUPED_UNITS });
  const stored = database.native.prepare('SELECT count(*) FROM job_state').pluck().get();
  if (stored !== CONCURRENT) throw new Error(`${String(stored)} rows stored, not ${String(CONCURRENT)}`);
  await work.stop();
  database.close();
  return {
    name: `group commit, 64 callers, fsync of ${String(fsyncMs)} ms`,
    unit: 'units/s',
    ours: grouped,
    floor: one,
    bar: `≥ ${String(bar)} × one commit each`,
    holds: grouped / one >= bar,
  };
}

/** Every COMMIT takes as long as a disk's fsync would; the thread waits, as it does for a disk. */
function slowCommits(database: Database, fsyncMs: number): Database {
  const wait = new Int32Array(new SharedArrayBuffer(4));
  const exec = database.exec.bind(database);
  database.exec = (sql: string): void => {
    exec(sql);
    if (sql === 'COMMIT') Atomics.wait(wait, 0, 0, fsyncMs);
  };
  return database;
}

function unitOfWork(database: Database): UnitOfWork<null> {
  return new UnitOfWork<null>({
    database,
    journal: { head: () => null, append: () => null, publish: () => undefined },
    time: { now: () => Date.now(), persist: () => undefined },
    onFatal: (error) => {
      throw error;
    },
    monotonic: () => performance.now(),
  });
}

/** Units a second when each of `callers` submits its next one after the last was answered. */
async function rate(work: UnitOfWork<null>, load: { callers: number; units: number }): Promise<number> {
  let left = load.units;
  const started = performance.now();
  await Promise.all(
    Array.from({ length: load.callers }, async (_, caller) => {
      while (left-- > 0) {
        await work.keep('bench', (tx) => {
          tx.run(INSERT, { job: `caller-${String(caller)}`, now: tx.now });
        });
      }
    }),
  );
  return load.units / ((performance.now() - started) / 1000);
}
