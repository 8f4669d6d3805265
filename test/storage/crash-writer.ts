import { writeSync } from 'node:fs';
import { openFileSequence } from '../../src/storage/file-sequence.ts';
import { openTestStorage } from '../support/storage.ts';
import { entry, keepRow } from './batch-fixtures.ts';

/** Writes as fast as it can and says each thing only once it is durable, until it is killed. */
const [directory = '', round = ''] = process.argv.slice(2);
const storage = await openTestStorage({ directory });
const sequence = await openFileSequence(storage, 'crash');

async function writeForever(writer: number): Promise<never> {
  for (let i = 0; ; i++) {
    const name = `${round}.${String(writer)}.${String(i)} ${String(sequence.next())}`;
    await storage.work.run(storage.authority(null), (tx) => {
      tx.record(entry(name));
      keepRow(tx, name);
    });
    // Written in one call, so that no line is torn; what was not written was not acknowledged.
    writeSync(1, `${name}\n`);
  }
}

await Promise.all([0, 1, 2, 3, 4, 5, 6, 7].map(writeForever));
