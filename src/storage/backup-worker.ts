import { parentPort, workerData } from 'node:worker_threads';
import { Database } from './database.ts';
import { problemsOf } from './integrity-problems.ts';

const { source, target } = workerData as { readonly source: string; readonly target: string }; // what backup.ts gave
const original = Database.openReader(source);
try {
  // The connection stays one that cannot write to what it has opened; the copy is another file.
  original.native.pragma('query_only = OFF');
  original.native.prepare('VACUUM INTO ?').run(target);
} finally {
  original.close();
}
const copy = Database.openReader(target);
try {
  parentPort?.postMessage(problemsOf(copy));
} finally {
  copy.close();
}
