import { parentPort, workerData } from 'node:worker_threads';
import { Database } from './database.ts';

/** Enough to see what is wrong. */
const PROBLEMS = 100;

const { path } = workerData as { readonly path: string }; // what integrity.ts gave
const database = Database.openReader(path);
try {
  parentPort?.postMessage([...pageProblems(), ...referenceProblems()]);
} catch (error) {
  // So badly damaged that it cannot be read to the end: that is what was found.
  parentPort?.postMessage([String(error)]);
} finally {
  database.close();
}

function pageProblems(): string[] {
  const said = database.native
    .prepare(`PRAGMA integrity_check(${String(PROBLEMS)})`)
    .pluck()
    .all() as string[];
  return said.filter((line) => line !== 'ok');
}

function referenceProblems(): string[] {
  const broken = database.native.prepare('PRAGMA foreign_key_check').all() as {
    table: string;
    parent: string;
  }[];
  return broken
    .slice(0, PROBLEMS)
    .map(({ table, parent }) => `a row of ${table} refers to no row of ${parent}`);
}
