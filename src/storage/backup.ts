import { open, rm } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { Fault } from '../faults.ts';

const OWNER_ONLY = 0o600;

/**
 * Copies a database while it is being written, as it stands at one moment: VACUUM INTO on a worker's read-only
 * connection. (A stepwise copy from a second connection never ends under writes.) The copy is checked page by page and
 * on disk when this returns. The log of the original grows meanwhile.
 * @param target where there is nothing yet; removed again when the copy is no good
 * @throws Fault BACKUP_INVALID when the copy is damaged, DISK_FULL
 */
export async function copyDatabase(source: string, target: string): Promise<void> {
  await (await open(target, 'wx', OWNER_ONLY)).close();
  try {
    const problems = await runCopy(source, target);
    if (problems.length > 0) {
      throw new Fault('BACKUP_INVALID', `the copy of the database is damaged: ${problems.join('; ')}`);
    }
    await using copy = await open(target, 'r+');
    await copy.sync();
  } catch (error) {
    await rm(target, { force: true });
    throw isFull(error)
      ? new Fault('DISK_FULL', 'no room for a copy of the database', { cause: error })
      : error;
  }
}

function runCopy(source: string, target: string): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./backup-worker.ts', import.meta.url), {
      workerData: { source, target },
    });
    worker.once('message', resolve);
    worker.once('error', reject);
    worker.once('exit', () => {
      reject(new Error('the copy of the database ended without a result'));
    });
  });
}

/** An error from a worker is a copy of the one thrown there: its code is all that is left of its kind. */
function isFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return /SQLITE_FULL|ENOSPC|disk is full/.test(
    `${'code' in error ? String(error.code) : ''} ${error.message}`,
  );
}
