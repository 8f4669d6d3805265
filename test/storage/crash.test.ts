import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { assertInvariants } from '../support/invariants.ts';
import { openTestStorage } from '../support/storage.ts';
import { kept } from './batch-fixtures.ts';

const ROUNDS = 10;
const WRITER = join(import.meta.dirname, 'crash-writer.ts');

/** Starts a writer, kills it in mid-sentence after some acknowledgements, and returns what it had acknowledged. */
async function killedAfter(lines: number, args: readonly string[]): Promise<string[]> {
  const writer = spawn(process.execPath, [WRITER, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  writer.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    if (said.split('\n').length > lines) writer.kill('SIGKILL');
  });
  await once(writer, 'close');
  return said.split('\n').slice(0, -1);
}

describe('kill -9', () => {
  it(`loses nothing that was acknowledged and gives no file number twice, in ${String(ROUNDS)} rounds`, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'mintmark-crash-'));
    const acknowledged: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      acknowledged.push(...(await killedAfter(20 + round * 15, [directory, String(round)])));
      await using storage = await openTestStorage({ directory });
      const stored = new Set(kept(storage));
      expect(acknowledged.filter((name) => !stored.has(name))).toEqual([]);
      const entries = storage.database.native.prepare('SELECT count(*) FROM ledger_entries').pluck().get();
      // Two entries made the tenants; each unit has its own.
      expect(entries).toBe(stored.size - 1 + 2);
      assertInvariants(storage.database);
    }
    const numbers = acknowledged.map((name) => name.split(' ')[1]);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(acknowledged.length).toBeGreaterThan(ROUNDS * 20);
    rmSync(directory, { recursive: true });
  });
});
