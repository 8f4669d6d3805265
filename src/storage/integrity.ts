import { Worker } from 'node:worker_threads';

/** What an integrity check found. */
export interface IntegrityReport {
  readonly ok: boolean;
  /** SQLite's own words, at most a hundred. */
  readonly problems: readonly string[];
}

/**
 * Reads every page of a database in a worker thread, on a read-only connection: index against table, references, the
 * format itself. Requests are served meanwhile.
 * @throws SqliteError when the file cannot even be opened
 */
export function checkIntegrity(path: string): Promise<IntegrityReport> {
  return look(path, 'pages');
}

/**
 * Looks at every row, in the same way: counts and index rows against the rows that they follow from (consistency.ts), sealed
 * values against the data keys that there are. The problems are sentences.
 * @throws SqliteError when the database is too damaged for it
 */
export function checkContents(path: string): Promise<IntegrityReport> {
  return look(path, 'contents');
}

function look(path: string, what: 'pages' | 'contents'): Promise<IntegrityReport> {
  return new Promise((resolve, reject) => {
    const file = new URL('./integrity-worker.ts', import.meta.url);
    const worker = new Worker(file, { workerData: { path, look: what } });
    worker.once('message', (problems: readonly string[]) => {
      resolve({ ok: problems.length === 0, problems });
    });
    worker.once('error', reject);
    worker.once('exit', () => {
      reject(new Error('the integrity check ended without a result'));
    });
  });
}
