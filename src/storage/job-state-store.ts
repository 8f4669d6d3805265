import { statement } from './statement.ts';
import type { Reader, Tx } from './tx.ts';

const READ = statement<{ job: string }>()((db, p) =>
  db.selectFrom('job_state').select('state').where('job', '=', p.job),
);

const WRITE = statement<{ job: string; state: string; now: number }>()((db, p) =>
  db
    .insertInto('job_state')
    .values({ job: p.job, state: p.state, updated_at: p.now })
    .onConflict((conflict) => conflict.column('job').doUpdateSet({ state: p.state, updated_at: p.now })),
);

/** What a job remembered of its last run; undefined before the first. */
export function readJobState(reader: Reader, job: string): string | undefined {
  return reader.get(READ, { job })?.state;
}

/** Remembers something for the next run of a job. */
export function writeJobState(tx: Tx, job: string, state: string): void {
  tx.run(WRITE, { job, state, now: tx.now });
}
