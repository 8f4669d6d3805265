import {
  appendFileSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type ExportSummary, exportLedger } from '../../src/ledger/export.ts';
import { parseEntry } from '../../src/ledger/entry.ts';
import { keyChangeFacts } from '../../src/ledger/key-chain.ts';
import { formatVerifierKey } from '../../src/ledger/note.ts';
import { describeReport } from '../../src/ledger/report.ts';
import { verifyExport } from '../../src/ledger/verify-export.ts';
import { Database } from '../../src/storage/database.ts';
import type { RealmId } from '../../src/storage/realm-scope.ts';
import { readerOf } from '../../src/storage/tx.ts';
import { ORIGIN, testSigner } from './ledger-fixtures.ts';
import { type OpenLedger, checkpointerOf, happening, openLedger, record, recordMany } from './open-ledger.ts';

function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'mintmark-export-'));
  onTestFinished(() => {
    rmSync(directory, { recursive: true, force: true });
  });
  return directory;
}

/** Exports as the daemon does: from a connection of its own that can only read. */
async function exported(
  open: OpenLedger,
  given: { directory?: string; realm?: RealmId } = {},
): Promise<ExportSummary & { directory: string }> {
  const directory = given.directory ?? freshDirectory();
  const database = Database.openReader(join(open.directory, 'mintmark.db'));
  try {
    return {
      directory,
      ...(await exportLedger({ reader: readerOf(database), origin: ORIGIN }, { ...given, directory })),
    };
  } finally {
    database.close();
  }
}

/** A ledger of 701 entries with checkpoints over 301 and all of them, and its export. */
async function whole(): Promise<{ open: OpenLedger; directory: string; firstKey: string }> {
  const open = await openLedger();
  const checkpointer = checkpointerOf(open);
  await recordMany(open, 300);
  await checkpointer.sign();
  await recordMany(open, 400);
  await checkpointer.sign();
  const { directory } = await exported(open);
  return { open, directory, firstKey: formatVerifierKey(open.signer.key) };
}

const linesOf = (directory: string): string[] =>
  readFileSync(join(directory, 'entries.jsonl'), 'utf8').trimEnd().split('\n');

describe('an export', () => {
  it('verifies with nothing but the first key', async () => {
    const { directory, firstKey } = await whole();
    const report = await verifyExport(directory, { firstKey });
    expect(report).toMatchObject({
      ok: true,
      pinned: true,
      size: 701,
      entries: 701,
      signedSize: 701,
      checkpoints: 2,
    });
    const text = describeReport(report);
    expect(text).toContain('VERIFIED: the first 701 entries are what the appliance signed\n');
    expect(text).not.toContain('NOT');
  });

  it('says loudly when the first key is its own word only', async () => {
    const { directory } = await whole();
    const report = await verifyExport(directory);
    expect(report).toMatchObject({ ok: true, pinned: false });
    expect(describeReport(report)).toContain('NOT COMPARED');
    expect(describeReport(report)).toContain('if the first key is the right one');
  });

  it('has the stored bytes as its lines, tiles beside them, and files nobody else may read', async () => {
    const { open, directory } = await whole();
    const stored = open.database.native
      .prepare('SELECT bytes FROM ledger_entries ORDER BY position')
      .pluck()
      .all();
    expect(linesOf(directory)).toEqual(stored.map(String));
    expect(readdirSync(directory).sort()).toEqual([
      'README',
      'checkpoints',
      'entries.jsonl',
      'tile',
      'verifier-keys',
    ]);
    expect(readdirSync(join(directory, 'tile/0')).sort()).toEqual(['000', '001', '002.p']);
    expect(statSync(join(directory, 'entries.jsonl')).mode & 0o777).toBe(0o600);
    expect(readFileSync(join(directory, 'README'), 'utf8')).toContain('mintmark audit verify');
  });

  it('shows a tenant its own entries in full and all others as bare hashes, under the same root', async () => {
    const { open, directory: all, firstKey } = await whole();
    const { directory, entries } = await exported(open, { realm: open.acme.live });
    const shown = linesOf(directory).filter((line) => line.startsWith('{'));
    expect(shown).toHaveLength(entries);
    expect(shown.map((line) => parseEntry(Buffer.from(line)).realm)).toEqual(
      Array(175).fill('ten_acme/live'),
    );
    expect(readFileSync(join(directory, 'entries.jsonl'), 'utf8')).not.toContain('globex');
    const [mine, whole_] = [
      await verifyExport(directory, { firstKey }),
      await verifyExport(all, { firstKey }),
    ];
    expect(mine).toMatchObject({ ok: true, entries: 175, bareHashes: 526, root: whole_.root });
  });

  it('shows changes of the ledger key to every tenant', async () => {
    const open = await openLedger();
    const next = testSigner('next');
    const facts = keyChangeFacts(open.signer.key, next.key);
    await record(open, happening('k', { action: 'ledger_key.changed', facts }), null);
    await checkpointerOf(open, { signers: () => [open.signer, next] }).sign();
    await record(open, happening('lic_1'));
    await checkpointerOf(open, { signers: () => [next] }).sign();
    const { directory } = await exported(open, { realm: open.acme.live });
    const report = await verifyExport(directory, { firstKey: formatVerifierKey(open.signer.key) });
    expect(report).toMatchObject({ ok: true, entries: 2, bareHashes: 1, signedSize: 3 });
    expect(report.keys.map(({ key }) => key)).toEqual([open.signer.key, next.key].map(formatVerifierKey));
  });

  it('says how many entries are not signed yet', async () => {
    const { open } = await whole();
    await recordMany(open, 5);
    const { directory, signedSize } = await exported(open);
    expect(signedSize).toBe(701);
    const report = await verifyExport(directory);
    expect(report).toMatchObject({ ok: true, size: 706, signedSize: 701 });
    expect(describeReport(report)).toContain('the 5 after it are not signed yet');
  });

  it('is of one moment, also when it is made while entries are written', async () => {
    const { open, firstKey } = await whole();
    const [{ directory, size }] = await Promise.all([exported(open), recordMany(open, 500)]);
    expect(await verifyExport(directory, { firstKey })).toMatchObject({ ok: true, size });
  });

  it('is not written over anything', async () => {
    const { open, directory } = await whole();
    await expect(exported(open, { directory })).rejects.toMatchObject({ code: 'FILE_EXISTS' });
  });

  it('reports how far it is', async () => {
    const open = await openLedger();
    await recordMany(open, 2500);
    const steps: [number, number][] = [];
    const onProgress = (done: number, total: number): void => void steps.push([done, total]);
    await exportLedger(
      { reader: open.work.read, origin: ORIGIN },
      { directory: freshDirectory(), onProgress },
    );
    expect(steps).toEqual([
      [1000, 2501],
      [2000, 2501],
      [2501, 2501],
    ]);
  });
});

describe('verification of an export', () => {
  it('names the very entry that was altered', async () => {
    const { directory, firstKey } = await whole();
    const file = join(directory, 'entries.jsonl');
    const lines = linesOf(directory);
    lines[417] = (lines[417] ?? '').replace('license.suspended', 'license.reinstated');
    writeFileSync(file, `${lines.join('\n')}\n`);
    const report = await verifyExport(directory, { firstKey });
    expect(report).toMatchObject({ ok: false, firstBad: { code: 'ENTRY_ALTERED', index: 417 } });
    expect(describeReport(report)).toContain('NOT VERIFIED: the first bad entry is number 417\n');
  });

  it('narrows it to a checkpoint when the tiles are gone', async () => {
    const { directory, firstKey } = await whole();
    const lines = linesOf(directory);
    lines[417] = (lines[417] ?? '').replace('license.suspended', 'license.reinstated');
    writeFileSync(join(directory, 'entries.jsonl'), `${lines.join('\n')}\n`);
    rmSync(join(directory, 'tile'), { recursive: true });
    const report = await verifyExport(directory, { firstKey });
    expect(report.firstBad).toMatchObject({ code: 'ROOT_MISMATCH', index: 301, to: 701 });
    expect(describeReport(report)).toContain('the first bad entry is one of 301 to 700');
  });

  it('finds every byte that differs, wherever it is', async () => {
    const { directory, firstKey } = await whole();
    const file = join(directory, 'entries.jsonl');
    const good = readFileSync(file);
    for (let at = 0; at < good.length; at += 4999) {
      const bad = Buffer.from(good);
      bad.writeUInt8(bad.readUInt8(at) ^ 1, at);
      writeFileSync(file, bad);
      const line = good.subarray(0, at).toString('latin1').split('\n').length - 1;
      expect((await verifyExport(directory, { firstKey })).firstBad?.index).toBe(line);
    }
  });

  it('finds that the end is missing', async () => {
    const { directory, firstKey } = await whole();
    writeFileSync(join(directory, 'entries.jsonl'), `${linesOf(directory).slice(0, 600).join('\n')}\n`);
    const report = await verifyExport(directory, { firstKey });
    expect(report).toMatchObject({
      ok: false,
      signedSize: 301,
      firstBad: { code: 'ENTRY_MISSING', index: 600 },
    });
  });

  it('refuses a log that is whole but not of the key that is trusted', async () => {
    const { directory } = await whole();
    const report = await verifyExport(directory, { firstKey: formatVerifierKey(testSigner('other').key) });
    expect(report).toMatchObject({ ok: false, signedSize: 0 });
    expect(report.problems.map(({ code }) => code)).toContain('CHECKPOINT_SIGNATURE');
  });

  it('reads checkpoints whatever stands around them', async () => {
    const { directory, firstKey } = await whole();
    appendFileSync(join(directory, 'checkpoints'), 'something else\n');
    const report = await verifyExport(directory, { firstKey });
    expect(report.problems.map(({ code }) => code)).toEqual(['CHECKPOINT_MALFORMED']);
  });

  it('reports how far it is', async () => {
    const { directory } = await whole();
    const steps: number[] = [];
    await verifyExport(directory, { onProgress: (done, total) => void steps.push(done / total) });
    expect(steps.at(-1)).toBe(1);
  });

  it('refuses a directory that is no export', async () => {
    const verifying = verifyExport(freshDirectory());
    await expect(verifying).rejects.toMatchObject({ code: 'LEDGER_INVALID' });
    await expect(verifying).rejects.toThrow('verifier-keys');
  });

  it('refuses to trust a key that is none', async () => {
    const { directory } = await whole();
    const verifying = verifyExport(directory, { firstKey: 'not-a-key' });
    await expect(verifying).rejects.toMatchObject({ code: 'LEDGER_INVALID' });
    await expect(verifying).rejects.toThrow('verifier key');
  });

  it('refuses a line that is longer than any entry can be, in bounded memory', async () => {
    const { directory } = await whole();
    appendFileSync(join(directory, 'entries.jsonl'), 'x'.repeat(3 * 1024 * 1024));
    await expect(verifyExport(directory)).rejects.toMatchObject({ code: 'LEDGER_INVALID' });
  });
});

describe('the directory of an export', () => {
  it('is made, but not its parents: a typing mistake is refused at once, below /proc too', async () => {
    const open = await openLedger();
    for (const directory of [join(freshDirectory(), 'absent', 'export'), '/proc/absent']) {
      await expect(exported(open, { directory })).rejects.toMatchObject({ code: 'VALIDATION_FAILED' });
    }
    const made = join(freshDirectory(), 'export');
    expect((await exported(open, { directory: made })).directory).toBe(made);
  });
});
