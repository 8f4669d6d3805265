import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { signCheckpoint } from '../../src/ledger/checkpoint.ts';
import { encodeEntry } from '../../src/ledger/entry.ts';
import { keyChangeFacts } from '../../src/ledger/key-chain.ts';
import { leafHash } from '../../src/ledger/merkle.ts';
import { formatVerifierKey } from '../../src/ledger/note.ts';
import { type LedgerReport, LedgerVerification, type VerificationBasis } from '../../src/ledger/verify.ts';
import {
  type TestLog,
  ORIGIN,
  headAt,
  headsOf,
  keyChange,
  testEntry,
  testLog,
  testSigner,
} from './ledger-fixtures.ts';

const SIZE = 100;
const a = testSigner('a');
const b = testSigner('b');
let log: TestLog;
beforeAll(async () => {
  log = await testLog(SIZE, [10, 40, 40, 97]);
});

function verified(lines: readonly Buffer[], basis: Partial<VerificationBasis> = {}): LedgerReport {
  const verification = new LedgerVerification({ firstKey: a.key, checkpoints: log.checkpoints, ...basis });
  for (const line of lines) verification.add(line);
  return verification.finish();
}

const recorded = (index: number): Buffer | undefined => {
  const line = log.lines[index];
  return line && leafHash(line);
};
const bare = (line: Buffer): Buffer => Buffer.from(`"${leafHash(line).toString('base64')}"`);
const codes = (report: LedgerReport): string[] => report.problems.map(({ code }) => code);
const changedAt = (index: number, change: (line: Buffer) => Buffer): Buffer[] =>
  log.lines.map((line, i) => (i === index ? change(line) : line));

function flip(line: Buffer, bit: number): Buffer {
  const copy = Buffer.from(line);
  copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
  return copy;
}

describe('an untouched log', () => {
  it('verifies, and says what it proves', () => {
    const report = verified(log.lines, { listedKeys: [formatVerifierKey(a.key)] });
    expect(report).toMatchObject({ ok: true, origin: ORIGIN, size: SIZE, entries: SIZE, bareHashes: 0 });
    expect(report).toMatchObject({ checkpoints: 4, signedSize: 97, firstBad: null, problems: [] });
    expect(report.period).toEqual({ first: '2026-01-01T00:00:00.000Z', last: '2026-01-01T00:01:39.000Z' });
  });

  it('verifies with any entries shown as bare hashes', () => {
    const report = verified(log.lines.map((line, i) => (i % 3 === 0 ? line : bare(line))));
    expect(report).toMatchObject({ ok: true, size: SIZE, entries: 34, bareHashes: 66, signedSize: 97 });
  });
});

describe('a changed entry', () => {
  it('is found at every single bit, and named when the leaf hashes stand beside the log', () => {
    const index = 5;
    const line = log.lines[index] ?? Buffer.alloc(0);
    const checkpoints = log.checkpoints.slice(0, 1);
    for (let bit = 0; bit < line.length * 8; bit++) {
      const lines = changedAt(index, (whole) => flip(whole, bit)).slice(0, 10);
      const report = verified(lines, { checkpoints, recordedLeaf: recorded });
      expect(report.ok).toBe(false);
      expect(report.firstBad?.index).toBe(index);
    }
  });

  it('is found in any place, and narrowed to the checkpoint that first covers it without the leaf hashes', () => {
    const places = fc.record({ index: fc.nat(96), bit: fc.nat(2000) });
    fc.assert(
      fc.property(places, ({ index, bit }) => {
        const report = verified(changedAt(index, (line) => flip(line, bit % (line.length * 8))));
        expect(report.ok).toBe(false);
        const { index: from = -1, to = from + 1 } = report.firstBad ?? {};
        expect(from <= index && index < to).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  it('does not hide a second one', () => {
    const lines = log.lines.map((line, i) =>
      i === 5 || i === 50 ? encodeEntry(testEntry(i, { action: 'license.revoked' })) : line,
    );
    const report = verified(lines, { recordedLeaf: recorded });
    expect(report.problems.map(({ code, index }) => [code, index])).toEqual([
      ['ENTRY_ALTERED', 5],
      ['ENTRY_ALTERED', 50],
    ]);
    expect(report.firstBad?.index).toBe(5);
  });

  it('is found when it is one of the bare hashes', () => {
    const lines = changedAt(20, () => bare(Buffer.from('other')));
    expect(verified(lines)).toMatchObject({
      ok: false,
      firstBad: { code: 'ROOT_MISMATCH', index: 10, to: 40 },
    });
    expect(verified(lines, { recordedLeaf: recorded }).firstBad).toMatchObject({
      code: 'ENTRY_ALTERED',
      index: 20,
    });
  });
});

describe('a log with lines moved', () => {
  it.each([
    ['removed', () => log.lines.toSpliced(30, 1), 30],
    [
      'inserted',
      () => log.lines.toSpliced(30, 0, encodeEntry(testEntry(30, { action: 'license.revoked' }))),
      31,
    ],
    ['repeated', () => log.lines.toSpliced(30, 0, log.lines[29] ?? Buffer.alloc(0)), 30],
    [
      'exchanged',
      () => log.lines.toSpliced(30, 2, log.lines[31] ?? Buffer.alloc(0), log.lines[30] ?? Buffer.alloc(0)),
      30,
    ],
    ['replaced by something else', () => log.lines.toSpliced(30, 1, Buffer.from('null')), 30],
  ])('is refused at the first line %s', (_, lines, index) => {
    const report = verified(lines());
    expect(report.ok).toBe(false);
    expect(report.firstBad?.index).toBe(index);
  });

  it('is refused when its end is cut off below a checkpoint', () => {
    const report = verified(log.lines.slice(0, 90));
    expect(report.firstBad).toMatchObject({ code: 'ENTRY_MISSING', index: 90, to: 97 });
    expect(report.signedSize).toBe(40);
  });
});

describe('a checkpoint', () => {
  it('is worth nothing without a valid signature of the ledger key, and says nothing of the entries then', async () => {
    const forged = await testLog(SIZE, [97], b);
    const report = verified(log.lines, {
      checkpoints: [...log.checkpoints.slice(0, 2), ...forged.checkpoints],
    });
    expect(codes(report)).toEqual(['CHECKPOINT_SIGNATURE']);
    expect(report).toMatchObject({ signedSize: 40, firstBad: null });
  });

  it('is found at every single bit that is flipped in it', () => {
    const note = Buffer.from(log.checkpoints[0] ?? '');
    for (let bit = 0; bit < note.length * 8; bit++) {
      const report = verified(log.lines.slice(0, 10), { checkpoints: [flip(note, bit).toString('utf8')] });
      expect(report).toMatchObject({ ok: false, signedSize: 0 });
    }
  });

  it('of another log is refused', async () => {
    const origin = 'mintmark/other';
    const other = await signCheckpoint(origin, headAt(log.heads, 40), [testSigner('a', origin)]);
    expect(codes(verified(log.lines, { checkpoints: [...log.checkpoints, other] }))).toContain(
      'CHECKPOINT_ORDER',
    );
    expect(codes(verified(log.lines, { checkpoints: [other] }))).toContain('CHECKPOINT_ORIGIN');
  });

  it('is needed: entries alone prove nothing', () => {
    expect(codes(verified(log.lines, { checkpoints: [] }))).toEqual(['CHECKPOINT_MISSING']);
  });
});

describe('a change of the ledger key', () => {
  const at = 20;
  const change = encodeEntry(keyChange(at, keyChangeFacts(a.key, b.key)));
  const lines = (): Buffer[] => log.lines.toSpliced(at, 1, change);
  const signed = (size: number, ...signers: (typeof a)[]): Promise<string> =>
    signCheckpoint(ORIGIN, headAt(headsOf(lines()), size), signers);

  it('is proven by an entry naming both keys and a checkpoint signed by both', async () => {
    const checkpoints = [await signed(at, a), await signed(at + 1, a, b), await signed(SIZE, b)];
    const listedKeys = [a, b].map(({ key }) => formatVerifierKey(key));
    const report = verified(lines(), { checkpoints, listedKeys });
    expect(report).toMatchObject({ ok: true, signedSize: SIZE, checkpoints: 3 });
    expect(report.keys).toEqual([
      { key: listedKeys[0], from: 0 },
      { key: listedKeys[1], from: at + 1 },
    ]);
  });

  it.each([
    ['the first checkpoint over it is signed by the old key alone', [[a]]],
    ['the first checkpoint over it is signed by the new key alone', [[b]]],
    ['the old key goes on signing', [[a, b], [a]]],
  ])('is refused when %s', async (_, signers) => {
    const checkpoints = [await signed(at, a)];
    for (const [i, by] of signers.entries()) checkpoints.push(await signed(at + 1 + i, ...by));
    expect(codes(verified(lines(), { checkpoints }))).toEqual(['CHECKPOINT_SIGNATURE']);
  });

  it('is refused when it does not start from the key in force', async () => {
    const wrong = encodeEntry(keyChange(at, keyChangeFacts(testSigner('c').key, b.key)));
    const changed = log.lines.toSpliced(at, 1, wrong);
    const checkpoints = [await signCheckpoint(ORIGIN, headAt(headsOf(changed), SIZE), [a, b])];
    expect(verified(changed, { checkpoints }).firstBad).toMatchObject({ code: 'KEY_CHANGE', index: at });
  });

  it('cannot be claimed by listing a key', () => {
    const report = verified(log.lines, { listedKeys: [a, b].map(({ key }) => formatVerifierKey(key)) });
    expect(codes(report)).toEqual(['KEY_UNPROVEN']);
  });
});

it('tells an altered tile from an altered entry', () => {
  const report = verified(log.lines, {
    recordedLeaf: (index) => (index === 12 ? Buffer.alloc(32) : recorded(index)),
  });
  expect(report.problems).toMatchObject([{ code: 'TILE_ALTERED', index: 12 }]);
  expect(report).toMatchObject({ ok: false, firstBad: null, signedSize: 97 });
});
