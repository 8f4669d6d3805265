import { hash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { signCheckpoint } from '../src/ledger/checkpoint.ts';
import { type Entry, encodeEntry } from '../src/ledger/entry.ts';
import { EXPORT_FILES } from '../src/ledger/export-format.ts';
import { Ledger } from '../src/ledger/ledger.ts';
import { EMPTY_TREE, appendLeaf, leafHash, type TreeHead } from '../src/ledger/merkle.ts';
import { formatVerifierKey } from '../src/ledger/note.ts';
import { TILE_WIDTH, tilePath } from '../src/ledger/tiles.ts';
import { verifyExport } from '../src/ledger/verify-export.ts';
import { invariant } from '../src/lib/invariant.ts';
import { systemRandom } from '../src/lib/random.ts';
import { Database } from '../src/storage/database.ts';
import type { EntryDraft } from '../src/storage/journal.ts';
import { migrate } from '../src/storage/migrate.ts';
import { OpenTx, readerOf } from '../src/storage/tx.ts';
import { ORIGIN, testEntry, testSigner } from '../test/ledger/ledger-fixtures.ts';
import { testSealing } from '../test/support/sealing.ts';
import { testAuthority } from '../test/support/storage.ts';
import type { BenchRow } from './report.ts';

const VERIFIED = 300_000;
const APPENDED = 50_000;
/** Entries under one checkpoint, as at the highest rate of writing. */
const CHECKPOINT_EVERY = 1000;
const BATCH = 64;

/** Rate of offline verification and cost of an append, each beside its floor. Answers are checked. */
export async function ledgerRows(): Promise<BenchRow[]> {
  const directory = mkdtempSync(join(tmpdir(), 'mintmark-bench-ledger-'));
  try {
    return [await verification(directory), await appending(directory)];
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Floor: reading the same file, SHA-256 over each line and JSON.parse of it; no tree, no checkpoint, no rule. */
async function verification(scratch: string): Promise<BenchRow> {
  const directory = join(scratch, 'export');
  await writeExport(directory);
  const firstKey = formatVerifierKey(testSigner('bench').key);
  await verifyExport(directory, { firstKey });
  const started = performance.now();
  const report = await verifyExport(directory, { firstKey });
  const ours = rate(VERIFIED, started);
  invariant(report.ok && report.signedSize === VERIFIED, 'the export verifies');
  const floor = bareReading(join(directory, EXPORT_FILES.entries));
  const bar = '≥ 120 000/s parse included';
  return { name: 'verify an exported ledger', unit: 'entries/s', ours, floor, bar, holds: ours >= 120_000 };
}

function bareReading(path: string): number {
  const started = performance.now();
  const bytes = readFileSync(path);
  let [start, seen] = [0, 0];
  for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, start)) {
    const line = bytes.subarray(start, end);
    const { index } = JSON.parse(line.toString()) as { index: number }; // compared in the next line
    if (hash('sha256', line, 'hex') !== '' && index === seen) seen++;
    start = end + 1;
  }
  invariant(seen === VERIFIED, 'the floor has read every entry');
  return rate(seen, started);
}

async function writeExport(directory: string): Promise<void> {
  const signer = testSigner('bench');
  const lines = Array.from({ length: VERIFIED }, (_, i) => encodeEntry(plausibleEntry(i)));
  const hashes = lines.map(leafHash);
  let head: TreeHead = EMPTY_TREE;
  let checkpoints = '';
  for (const leaf of hashes) {
    head = appendLeaf(head, leaf);
    if (head.size % CHECKPOINT_EVERY === 0)
      checkpoints += `${await signCheckpoint(ORIGIN, head, [signer])}\n`;
  }
  const newline = Buffer.from('\n');
  mkdirSync(directory);
  writeFileSync(
    join(directory, EXPORT_FILES.entries),
    Buffer.concat(lines.flatMap((line) => [line, newline])),
  );
  writeFileSync(join(directory, EXPORT_FILES.checkpoints), checkpoints);
  writeFileSync(join(directory, EXPORT_FILES.verifierKeys), `${formatVerifierKey(signer.key)}\n`);
  for (let number = 0; (number + 1) * TILE_WIDTH <= VERIFIED; number++) {
    const path = join(directory, tilePath({ level: 0, number }));
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, Buffer.concat(hashes.slice(number * TILE_WIDTH, (number + 1) * TILE_WIDTH)));
  }
}

const plausibleEntry = (index: number): Entry => ({ ...testEntry(index), before: systemRandom.bytes(32) });

/** Floor: the same row, ready made, hashed and inserted by a raw prepared statement in the same group commits. */
async function appending(scratch: string): Promise<BenchRow> {
  const database = Database.openWriter(join(scratch, 'mintmark.db'));
  await migrate(database);
  const reader = readerOf(database);
  const { sealer } = testSealing();
  const ledger = Ledger.open(reader, { random: systemRandom, sealer });
  const ours = measure(database, () => {
    const tx = new OpenTx(database, { now: 1.8e12, authority: testAuthority(null), mayRecord: true });
    ledger.publish(ledger.append(tx, ledger.head(), [DRAFT]));
  });
  invariant(ledger.head().size === APPENDED, 'every entry was appended');
  const ready = encodeEntry(plausibleEntry(0));
  const insert = database.native.prepare(
    'INSERT INTO ledger_entries (position, bytes, hash) VALUES (?, ?, ?)',
  );
  let position = APPENDED;
  const floor = measure(database, () => insert.run(position++, ready, hash('sha256', ready, 'buffer')));
  database.close();
  const bar = 'at most 10 % of a write: compare with the CPU of one';
  return { name: 'append to the ledger', unit: 'entries/s', ours, floor, bar, holds: null };
}

const DRAFT: EntryDraft = {
  realm: null,
  action: 'license.suspended',
  target: { kind: 'license', id: 'lic_01J9ZC3V7M2Q5X8Y1B4N6P0R2T' },
  outcome: 'done',
  before: {
    status: 'active',
    expires_at: 1_800_000_000_000,
    max_machines: 3,
    policy: 'pol_01J9ZC3V7M2Q5X8Y1B4N6P0R2T',
  },
  after: {
    status: 'suspended',
    expires_at: 1_800_000_000_000,
    max_machines: 3,
    policy: 'pol_01J9ZC3V7M2Q5X8Y1B4N6P0R2T',
  },
};

/** Units a second, without the time of BEGIN and COMMIT. */
function measure(database: Database, unit: () => unknown): number {
  let spent = 0;
  for (let done = 0; done < APPENDED; done += BATCH) {
    database.exec('BEGIN IMMEDIATE');
    const started = performance.now();
    for (let i = 0; i < Math.min(BATCH, APPENDED - done); i++) unit();
    spent += performance.now() - started;
    database.exec('COMMIT');
  }
  return (APPENDED * 1000) / spent;
}

const rate = (count: number, started: number): number => (count * 1000) / (performance.now() - started);
