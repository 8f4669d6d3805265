import { parentPort, workerData } from 'node:worker_threads';
import { brokenRules } from './consistency.ts';
import { Database } from './database.ts';
import { problemsOf } from './integrity-problems.ts';
import { valuesWithoutKey } from './sealed-columns.ts';

const { path, look } = workerData as { readonly path: string; readonly look: 'pages' | 'contents' }; // what integrity.ts gave
const database = Database.openReader(path);
try {
  parentPort?.postMessage(look === 'pages' ? problemsOf(database) : contentProblems(database));
} finally {
  database.close();
}

function contentProblems(of: Database): string[] {
  const broken = brokenRules(of).map(({ what, rows }) => `there is ${what}: ${JSON.stringify(rows)}`);
  return [...broken, ...valuesWithoutKey(of)];
}
