import { createHash } from 'node:crypto';
import { signCheckpoint } from '../../src/ledger/checkpoint.ts';
import {
  type Entry,
  canonicalBytes,
  decidingDigest,
  encodeEntry,
  privateCommitment,
} from '../../src/ledger/entry.ts';
import { EXPORT_FILES, exportReadme } from '../../src/ledger/export-format.ts';
import { keyChangeFacts } from '../../src/ledger/key-chain.ts';
import { leafHash } from '../../src/ledger/merkle.ts';
import { type NoteSigner, formatVerifierKey } from '../../src/ledger/note.ts';
import { tilePath, tileRoot, tilesOf } from '../../src/ledger/tiles.ts';
import { ORIGIN, headAt, headsOf, keyChange, testEntry, testSigner } from './ledger-fixtures.ts';

const SIZE = 260;
const KEY_CHANGE_AT = 200;

/** A change to one file of the vectors, and what a verifier must say then. */
interface LedgerCase {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** Code of a problem that must be among those found. */
  readonly code: string;
  /** The first bad entry, when an entry is bad. */
  readonly index?: number;
}

const CASES: readonly LedgerCase[] = [
  {
    name: 'an entry with another outcome',
    file: EXPORT_FILES.entries,
    find: '"index":57,"outcome":"done"',
    replace: '"index":57,"outcome":"refused"',
    code: 'ENTRY_ALTERED',
    index: 57,
  },
  {
    name: 'an entry that is no JSON',
    file: EXPORT_FILES.entries,
    find: '"index":58,',
    replace: '"index":58;',
    code: 'ENTRY_MALFORMED',
    index: 58,
  },
  {
    name: 'an entry under another number',
    file: EXPORT_FILES.entries,
    find: '"index":59,',
    replace: '"index":95,',
    code: 'ENTRY_MISPLACED',
    index: 59,
  },
  {
    name: 'a checkpoint over other entries',
    file: EXPORT_FILES.checkpoints,
    find: `${ORIGIN}\n100\n`,
    replace: `${ORIGIN}\n101\n`,
    code: 'CHECKPOINT_SIGNATURE',
  },
  {
    name: 'a checkpoint under another origin',
    file: EXPORT_FILES.checkpoints,
    find: `${ORIGIN}\n100\n`,
    replace: 'mintmark/other\n100\n',
    code: 'CHECKPOINT_ORIGIN',
  },
  {
    name: 'a checkpoint that is none',
    file: EXPORT_FILES.checkpoints,
    find: `${ORIGIN}\n100\n`,
    replace: `${ORIGIN}\n0100\n`,
    code: 'CHECKPOINT_MALFORMED',
  },
];

/** What stands behind the digests of entry 3: who has it can check them, who has not can test nothing. */
const OPENING = {
  index: 3,
  columns: { expires_at: 1_800_000_000_000, max_machines: 3, status: 'active' },
  private: { email: 'zoë@example.org', name: 'Zoë' },
  privateSalt: createHash('sha256').update('private salt').digest(),
};

/** Every file of the published ledger vectors by its path: an export, the key seeds, an opening, and damaged copies. */
export async function ledgerVectors(): Promise<Map<string, Buffer>> {
  const [first, second] = [testSigner('a'), testSigner('b')];
  const lines = Array.from({ length: SIZE }, (_, index) => encodeEntry(vectorEntry(index, [first, second])));
  const files = new Map<string, Buffer>();
  const text = (path: string, content: string): unknown => files.set(path, Buffer.from(content));
  files.set(EXPORT_FILES.entries, Buffer.concat(lines.flatMap((line) => [line, Buffer.from('\n')])));
  text(EXPORT_FILES.checkpoints, await checkpoints(lines, [first, second]));
  text(EXPORT_FILES.verifierKeys, `${formatVerifierKey(first.key)}\n${formatVerifierKey(second.key)}\n`);
  text(EXPORT_FILES.readme, exportReadme({ origin: ORIGIN, size: SIZE, realm: undefined }));
  text('cases.json', json(CASES));
  text('opening.json', json({ ...OPENING, privateSalt: OPENING.privateSalt.toString('hex') }));
  return new Map([...files, ...tiles(lines)]);
}

function vectorEntry(index: number, [first, second]: readonly [NoteSigner, NoteSigner]): Entry {
  if (index === KEY_CHANGE_AT) return keyChange(index, keyChangeFacts(first.key, second.key));
  if (index === OPENING.index) return openedEntry();
  const globex = 'ten_01J9ZC3V7M2Q5X8Y1B4N6P0R3V/test';
  if (index % 4 === 1)
    return testEntry(index, { realm: globex, facts: { count: index, final: index > 200, none: null } });
  return testEntry(index);
}

function openedEntry(): Entry {
  const entry = testEntry(OPENING.index);
  const hidden = privateCommitment(OPENING.privateSalt, canonicalBytes(OPENING.private));
  return { ...entry, after: decidingDigest(entry.salt, OPENING.columns), private: hidden };
}

async function checkpoints(
  lines: readonly Buffer[],
  [first, second]: readonly [NoteSigner, NoteSigner],
): Promise<string> {
  const heads = headsOf(lines);
  const plan: [number, NoteSigner[]][] = [
    [1, [first]],
    [100, [first]],
    [KEY_CHANGE_AT + 1, [first, second]],
    [SIZE, [second]],
  ];
  const notes = await Promise.all(
    plan.map(([size, signers]) => signCheckpoint(ORIGIN, headAt(heads, size), signers)),
  );
  return notes.map((note) => `${note}\n`).join('');
}

function tiles(lines: readonly Buffer[]): Map<string, Buffer> {
  const hashes = lines.map(leafHash);
  const files = new Map<string, Buffer>();
  for (const { level, number, width } of tilesOf(SIZE)) {
    const below = (i: number): Buffer =>
      files.get(tilePath({ level: level - 1, number: i })) ?? Buffer.alloc(0);
    const at = (i: number): Buffer => (level === 0 ? (hashes[i] ?? Buffer.alloc(0)) : tileRoot(below(i)));
    const tile = Buffer.concat(Array.from({ length: width }, (_, i) => at(number * 256 + i)));
    files.set(tilePath({ level, number }, width), tile);
  }
  return files;
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
