import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { signCheckpoint } from '../../../src/ledger/checkpoint.ts';
import { encodeEntry } from '../../../src/ledger/entry.ts';
import { EMPTY_TREE, type TreeHead, appendLeaf, leafHash, treeRoot } from '../../../src/ledger/merkle.ts';
import {
  type NodeReader,
  consistencyProof,
  headOf,
  inclusionProof,
  verifyConsistency,
  verifyInclusion,
} from '../../../src/ledger/merkle-proof.ts';
import { formatVerifierKey, isSignedBy, parseNote } from '../../../src/ledger/note.ts';
import { nodesOfTiles, tilePath, tileRoot, tilesOf } from '../../../src/ledger/tiles.ts';
import { ORIGIN, testEntry, testSigner } from '../../ledger/ledger-fixtures.ts';

const GOPATH = '/usr/share/gocode';
const ALL_SIZES = 300;
const hasGo =
  existsSync(join(GOPATH, 'src/golang.org/x/mod/sumdb/tlog')) && spawnSync('go', ['version']).status === 0;
if (!hasGo) {
  console.warn(
    'skipped: Go or its tlog package is missing; apt-get install golang-go golang-golang-x-mod-dev',
  );
}

const scratch = mkdtempSync(join(tmpdir(), 'mintmark-ledger-go-'));
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

/** A log in memory, with its tiles kept as the ledger keeps them. */
class Log {
  readonly #tiles = new Map<string, Buffer>();
  readonly read: NodeReader = remembered(nodesOfTiles(({ level, number }) => this.tile(level, number)));
  readonly lines: Buffer[];
  readonly head: TreeHead;

  constructor(lines: Buffer[]) {
    this.lines = lines;
    const hashes = lines.map(leafHash);
    this.head = hashes.reduce(appendLeaf, EMPTY_TREE);
    for (const { level, number, width } of tilesOf(lines.length)) {
      const at = (i: number): Buffer =>
        level === 0 ? (hashes[i] ?? Buffer.alloc(0)) : tileRoot(this.tile(level - 1, i));
      const tile = Array.from({ length: width }, (_, i) => at(number * 256 + i));
      this.#tiles.set(`${String(level)}/${String(number)}`, Buffer.concat(tile));
    }
  }

  tile(level: number, number: number): Buffer {
    return this.#tiles.get(`${String(level)}/${String(number)}`) ?? Buffer.alloc(0);
  }

  root(size: number): Buffer {
    return treeRoot(headOf(this.read, size));
  }

  writeTiles(dir: string): void {
    for (const { level, number, width } of tilesOf(this.lines.length)) {
      const path = join(dir, tilePath({ level, number }, width));
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, this.tile(level, number));
    }
  }
}

/** Reads every node once: hundreds of thousands of proofs are made of the same few hundred nodes. */
function remembered(read: NodeReader): NodeReader {
  const known = new Map<number, Buffer>();
  return (level, number) => {
    const name = number * 64 + level;
    const node = known.get(name) ?? read(level, number);
    known.set(name, node);
    return node;
  };
}

const b64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');
const list = (proof: readonly Buffer[]): string => (proof.length === 0 ? '-' : proof.map(b64).join(','));

function inclusionLine(
  place: { index: number; size: number },
  claim: { leaf: Buffer; root: Buffer },
  proof: readonly Buffer[],
): string {
  const ours = String(verifyInclusion(place, claim, proof));
  return `inclusion ${String(place.size)} ${b64(claim.root)} ${String(place.index)} ${b64(claim.leaf)} ${list(proof)} ${ours}`;
}

function consistencyLine(
  place: { from: number; to: number },
  roots: { from: Buffer; to: Buffer },
  proof: readonly Buffer[],
): string {
  const ours = String(verifyConsistency(place, roots, proof));
  return `consistency ${String(place.to)} ${b64(roots.to)} ${String(place.from)} ${b64(roots.from)} ${list(proof)} ${ours}`;
}

/** Every way to damage a proof by one step. */
function damaged(proof: readonly Buffer[], seed: number): Buffer[][] {
  const other = leafHash(Buffer.from(String(seed)));
  const at = seed % Math.max(1, proof.length);
  return [
    proof.slice(1),
    proof.slice(0, -1),
    [...proof, other],
    proof.map((hash, i) => (i === at ? other : hash)),
  ].filter((changed) => list(changed) !== list(proof));
}

function* exhaustive(log: Log): Generator<string> {
  yield* log.lines.map((line) => `entry ${b64(line)}`);
  const roots = Array.from({ length: log.lines.length + 1 }, (_, size) => log.root(size));
  const rootOf = (size: number): Buffer => roots[size] ?? Buffer.alloc(0);
  for (let size = 1; size <= log.lines.length; size++) {
    yield `root ${String(size)} ${b64(rootOf(size))} true`;
    for (let i = 0; i < size; i++) {
      const claim = { leaf: leafHash(log.lines[i] ?? Buffer.alloc(0)), root: rootOf(size) };
      yield inclusionLine({ index: i, size }, claim, inclusionProof(log.read, { index: i, size }));
      const place = { from: i + 1, to: size };
      yield consistencyLine(
        place,
        { from: rootOf(i + 1), to: rootOf(size) },
        consistencyProof(log.read, place),
      );
    }
  }
}

function* sampled(log: Log, picks: readonly number[]): Generator<string> {
  const size = log.lines.length;
  yield 'new';
  yield* log.lines.map((line) => `entry ${b64(line)}`);
  yield `root ${String(size)} ${b64(treeRoot(log.head))} true`;
  for (const pick of picks) {
    const place = { index: pick % size, size };
    const claim = { leaf: leafHash(log.lines[place.index] ?? Buffer.alloc(0)), root: treeRoot(log.head) };
    const proof = inclusionProof(log.read, place);
    const growth = { from: (pick % size) + 1, to: size };
    const roots = { from: log.root(growth.from), to: claim.root };
    const grown = consistencyProof(log.read, growth);
    yield inclusionLine(place, claim, proof);
    yield consistencyLine(growth, roots, grown);
    for (const changed of damaged(proof, pick)) yield inclusionLine(place, claim, changed);
    for (const changed of damaged(grown, pick)) yield consistencyLine(growth, roots, changed);
  }
}

/** Runs the Go program over the claims; answers how many it checked, after it agreed to all of them. */
function agreedByGo(lines: Iterable<string>): number {
  const file = join(scratch, 'claims');
  writeFileSync(file, `${[...lines].join('\n')}\n`);
  // The build cache of Go is kept between runs; it holds nothing of ours.
  const env = {
    ...process.env,
    GO111MODULE: 'off',
    GOPATH,
    GOFLAGS: '',
    GOCACHE: join(tmpdir(), 'mintmark-go-cache'),
  };
  const ran = spawnSync('go', ['run', join(import.meta.dirname, 'main.go'), file], { env, encoding: 'utf8' });
  expect(ran.stderr).toBe('');
  const [, checked, disagreements] = /^checked (\d+) disagreements (\d+)\n$/.exec(ran.stdout) ?? [];
  expect(disagreements).toBe('0');
  return Number(checked);
}

const randomLines = (size: number, seed: number): Buffer[] =>
  Array.from({ length: size }, (_, i) => encodeEntry(testEntry(i, { facts: { seed } })));

describe.skipIf(!hasGo)('the Go transparency-log packages agree', () => {
  it(`on every root, every inclusion and every consistency proof up to ${String(ALL_SIZES)} entries`, () => {
    const checked = agreedByGo(exhaustive(new Log(randomLines(ALL_SIZES, 0))));
    expect(checked).toBe(ALL_SIZES + ALL_SIZES * (ALL_SIZES + 1));
  });

  it('on random trees and on proofs that are damaged', () => {
    const trees = fc.sample(
      fc.record({
        size: fc.integer({ min: 1, max: 3000 }),
        picks: fc.array(fc.nat(), { minLength: 20, maxLength: 20 }),
      }),
      { numRuns: 30, seed: 6962 },
    );
    const lines = trees.flatMap(({ size, picks }, i) => [...sampled(new Log(randomLines(size, i)), picks)]);
    expect(agreedByGo(lines)).toBeGreaterThan(30 * 20 * 2);
  });

  it('on our tiles, and on a tile that was changed', () => {
    const log = new Log(randomLines(66_000, 1));
    const dir = join(scratch, 'good');
    log.writeTiles(dir);
    const claim = (where: string, ours: boolean): string =>
      `tiles ${b64(Buffer.from(where))} ${String(log.lines.length)} ${b64(treeRoot(log.head))} ${String(ours)}`;
    const bad = join(scratch, 'bad');
    log.writeTiles(bad);
    writeFileSync(
      join(bad, tilePath({ level: 0, number: 7 })),
      Buffer.concat([Buffer.alloc(32), log.tile(0, 7).subarray(32)]),
    );
    const entries = log.lines.map((line) => `entry ${b64(line)}`);
    expect(agreedByGo([...entries, claim(dir, true), claim(bad, false)])).toBe(2);
  });

  it('on checkpoints, signed by one key and by two, whole and damaged', async () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => testSigner(name));
    if (a === undefined || b === undefined || c === undefined) throw new Error('three keys were made');
    const head = randomLines(9, 2).map(leafHash).reduce(appendLeaf, EMPTY_TREE);
    const one = await signCheckpoint(ORIGIN, head, [a]);
    const two = await signCheckpoint(ORIGIN, head, [a, b]);
    const claim = (text: string, ...signers: (typeof a)[]): string => {
      const ours = signers.every(({ key }) => isSignedBy(parseNote(text), key));
      return `note ${b64(Buffer.from(text))} ${signers.map(({ key }) => formatVerifierKey(key)).join(',')} ${String(ours)}`;
    };
    const changed = two.replace('\n9\n', '\n8\n');
    const claims = [
      claim(one, a),
      claim(two, a),
      claim(two, a, b),
      claim(one, a, b),
      claim(two, c),
      claim(changed, a),
    ];
    expect(claims.map((line) => line.split(' ')[3])).toEqual([
      'true',
      'true',
      'true',
      'false',
      'false',
      'false',
    ]);
    expect(agreedByGo(claims)).toBe(claims.length);
  });

  it('on the published vectors: entries, tiles, checkpoints and a change of key', () => {
    const vectors = join(import.meta.dirname, '../../vectors/ledger');
    const text = (name: string): string => readFileSync(join(vectors, name), 'utf8');
    const entries = text('entries.jsonl').trimEnd().split('\n');
    const [first = '', second = ''] = text('verifier-keys').split('\n');
    const notes = text('checkpoints').split(/(?<=\n)\n(?=mintmark)/);
    const keysOf = [[first], [first], [first, second], [second]];
    const [, size = '', root = ''] = notes.at(-1)?.split('\n') ?? [];
    const signed = notes.map((note, i) => {
      const whole = Buffer.from(`${note.trimEnd()}\n`);
      return `note ${b64(whole)} ${keysOf[i]?.join(',') ?? ''} true`;
    });
    const claims = [
      ...entries.map((line) => `entry ${b64(Buffer.from(line))}`),
      `root ${size} ${root} true`,
      `tiles ${b64(Buffer.from(vectors))} ${size} ${root} true`,
      ...signed,
    ];
    expect([entries.length, notes.length]).toEqual([260, 4]);
    expect(agreedByGo(claims)).toBe(6);
  });
});
