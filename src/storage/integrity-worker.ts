import { parentPort, workerData } from 'node:worker_threads';
import { Database } from './database.ts';
import { problemsOf } from './integrity-problems.ts';

const { path } = workerData as { readonly path: string }; // what integrity.ts gave
const database = Database.openReader(path);
try {
  parentPort?.postMessage(problemsOf(database));
} finally {
  database.close();
}
