import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EMPTY_TREE, appendLeaf, leafHash, nodeHash, treeRoot } from '../../src/ledger/merkle.ts';
import {
  type NodeReader,
  consistencyProof,
  headOf,
  inclusionProof,
  nodesOfLeaves,
  verifyConsistency,
  verifyInclusion,
} from '../../src/ledger/merkle-proof.ts';
import { TILE_BYTES, nodesOfTiles, tilePath, tileRoot, tilesOf } from '../../src/ledger/tiles.ts';

const SIZES = 130;

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const leafAt = (index: number): Buffer => leafHash(Buffer.from(`leaf ${String(index)}`));

/** MTH of RFC 6962 §2.1, written from its text with nothing shared. */
function rfcRoot(leaves: readonly string[]): Buffer {
  const sha = (...parts: readonly (string | Buffer)[]): Buffer =>
    parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
  if (leaves.length === 0) return sha('');
  if (leaves.length === 1) return sha(Buffer.of(0), leaves[0] ?? '');
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return sha(Buffer.of(1), rfcRoot(leaves.slice(0, split)), rfcRoot(leaves.slice(split)));
}

/** Remembers nodes: without it a proof costs as many hashes as there are leaves. */
function remembered(read: NodeReader): NodeReader {
  const known = new Map<string, Buffer>();
  const cached: NodeReader = (level, number) => {
    const name = `${String(level)}/${String(number)}`;
    const node =
      known.get(name) ??
      (level === 0
        ? read(0, number)
        : nodeHash(cached(level - 1, 2 * number), cached(level - 1, 2 * number + 1)));
    known.set(name, node);
    return node;
  };
  return cached;
}

const nodes = remembered(nodesOfLeaves(leafAt));
const rootAt = (size: number): Buffer => treeRoot(headOf(nodes, size));

describe('the tree', () => {
  it('gives the roots published with Certificate Transparency for its eight test leaves', () => {
    const leaves = [
      '',
      '00',
      '10',
      '2021',
      '3031',
      '40414243',
      '5051525354555657',
      '606162636465666768696a6b6c6d6e6f',
    ];
    const roots = leaves.map((_, i) =>
      hex(
        treeRoot(
          leaves
            .slice(0, i + 1)
            .reduce((head, leaf) => appendLeaf(head, leafHash(Buffer.from(leaf, 'hex'))), EMPTY_TREE),
        ),
      ),
    );
    expect(hex(treeRoot(EMPTY_TREE))).toBe(
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    );
    expect(roots).toEqual([
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
      'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
      '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
      'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
      '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
    ]);
  });

  it('has at every size the root the definition gives', () => {
    const leaves = Array.from({ length: SIZES }, (_, i) => `leaf ${String(i)}`);
    let head = EMPTY_TREE;
    for (let size = 0; size <= SIZES; size++) {
      expect(hex(treeRoot(head))).toBe(hex(rfcRoot(leaves.slice(0, size))));
      head = appendLeaf(head, leafAt(size));
    }
  });

  it('leaves an older head as it was when a leaf is appended', () => {
    const old = [0, 1, 2, 3, 4].reduce((head, i) => appendLeaf(head, leafAt(i)), EMPTY_TREE);
    const before = { root: hex(treeRoot(old)), peaks: old.peaks.map(hex) };
    appendLeaf(appendLeaf(old, leafAt(5)), leafAt(6));
    expect({ root: hex(treeRoot(old)), peaks: old.peaks.map(hex) }).toEqual(before);
  });

  it('counts leaves beyond 32 bits', () => {
    const peaks = [leafAt(1), leafAt(2)];
    const head = { size: 2 ** 40 + 1, peaks };
    expect(appendLeaf(head, leafAt(3))).toEqual({
      size: 2 ** 40 + 2,
      peaks: [leafAt(1), nodeHash(leafAt(2), leafAt(3))],
    });
  });
});

describe('proofs', () => {
  it('prove every leaf of every tree', () => {
    for (let size = 1; size <= SIZES; size++) {
      const root = rootAt(size);
      for (let index = 0; index < size; index++) {
        const proof = inclusionProof(nodes, { index, size });
        expect(verifyInclusion({ index, size }, { leaf: leafAt(index), root }, proof)).toBe(true);
      }
    }
  });

  it('prove that every smaller tree is the beginning of every larger one', () => {
    for (let to = 0; to <= SIZES; to++) {
      for (let from = 0; from <= to; from++) {
        const proof = consistencyProof(nodes, { from, to });
        expect(verifyConsistency({ from, to }, { from: rootAt(from), to: rootAt(to) }, proof)).toBe(true);
      }
    }
  });

  it('prove nothing for another leaf, index, size or root, nor with a changed, missing or added hash', () => {
    const place = fc
      .integer({ min: 2, max: SIZES })
      .chain((size) =>
        fc.record({ size: fc.constant(size), index: fc.nat(size - 1), bit: fc.nat(255), at: fc.nat(20) }),
      );
    fc.assert(
      fc.property(place, ({ size, index, bit, at }) => {
        const proof = inclusionProof(nodes, { index, size });
        const claim = { leaf: leafAt(index), root: rootAt(size) };
        expect(verifyInclusion({ index, size }, { ...claim, leaf: leafAt(index + 1) }, proof)).toBe(false);
        expect(verifyInclusion({ index: (index + 1) % size, size }, claim, proof)).toBe(false);
        expect(verifyInclusion({ index, size }, { ...claim, root: rootAt(size - 1) }, proof)).toBe(false);
        expect(verifyInclusion({ index, size }, claim, flipped(proof, at % proof.length, bit))).toBe(false);
        expect(verifyInclusion({ index, size }, claim, proof.slice(1))).toBe(false);
        expect(verifyInclusion({ index, size }, claim, [...proof, leafAt(0)])).toBe(false);
        expect(verifyInclusion({ index: size, size }, claim, proof)).toBe(false);
        expect(verifyInclusion({ index: -1, size }, claim, proof)).toBe(false);
      }),
    );
  });

  it('prove no growth between trees where one is not the beginning of the other', () => {
    const places = fc.integer({ min: 2, max: SIZES }).chain((to) =>
      fc.record({
        to: fc.constant(to),
        from: fc.integer({ min: 1, max: to - 1 }),
        bit: fc.nat(255),
        at: fc.nat(20),
      }),
    );
    fc.assert(
      fc.property(places, ({ from, to, bit, at }) => {
        const proof = consistencyProof(nodes, { from, to });
        const roots = { from: rootAt(from), to: rootAt(to) };
        expect(verifyConsistency({ from, to }, { ...roots, from: rootAt(from - 1) }, proof)).toBe(false);
        expect(verifyConsistency({ from, to }, { ...roots, to: rootAt(to - 1) }, proof)).toBe(false);
        expect(verifyConsistency({ from, to }, roots, flipped(proof, at % proof.length, bit))).toBe(false);
        expect(verifyConsistency({ from, to }, roots, proof.slice(1))).toBe(false);
        expect(verifyConsistency({ from, to }, roots, [...proof, leafAt(0)])).toBe(false);
        expect(verifyConsistency({ from: to, to: from }, roots, proof)).toBe(false);
      }),
    );
  });

  it('refuse equal sizes with different roots, and a beginning of nothing that is not the empty root', () => {
    expect(verifyConsistency({ from: 3, to: 3 }, { from: rootAt(3), to: rootAt(4) }, [])).toBe(false);
    expect(verifyConsistency({ from: 0, to: 3 }, { from: rootAt(1), to: rootAt(3) }, [])).toBe(false);
  });
});

describe('tiles', () => {
  it('are named as C2SP tlog-tiles names them', () => {
    expect(tilePath({ level: 0, number: 0 })).toBe('tile/0/000');
    expect(tilePath({ level: 3, number: 1_234_067 })).toBe('tile/3/x001/x234/067');
    expect(tilePath({ level: 1, number: 273 }, 17)).toBe('tile/1/273.p/17');
  });

  it('list every hash of a tree once', () => {
    expect([...tilesOf(0)]).toEqual([]);
    expect([...tilesOf(70_000)].filter(({ level }) => level > 0)).toEqual([
      { level: 1, number: 0, width: 256 },
      { level: 1, number: 1, width: 17 },
      { level: 2, number: 0, width: 1 },
    ]);
    expect([...tilesOf(70_000)].filter(({ level }) => level === 0).at(-1)).toEqual({
      level: 0,
      number: 273,
      width: 112,
    });
  });

  it('give the same nodes as the leaves', () => {
    const size = 66_000;
    const leaves = Array.from({ length: size }, (_, i) => leafAt(i));
    const tiles = new Map<string, Buffer>();
    for (const { level, number, width } of tilesOf(size)) {
      const hashes = Array.from({ length: width }, (_, i) => {
        const position = number * 256 + i;
        return level === 0
          ? (leaves[position] ?? Buffer.alloc(0))
          : tileRoot(tiles.get(`${String(level - 1)}/${String(position)}`) ?? Buffer.alloc(0));
      });
      tiles.set(`${String(level)}/${String(number)}`, Buffer.concat(hashes));
    }
    expect(tiles.get('0/0')).toHaveLength(TILE_BYTES);
    const fromTiles = nodesOfTiles(
      ({ level, number }) => tiles.get(`${String(level)}/${String(number)}`) ?? Buffer.alloc(0),
    );
    const head = leaves.reduce(appendLeaf, EMPTY_TREE);
    expect(headOf(fromTiles, size)).toEqual(head);
    for (const index of [0, 255, 256, 65_535, 65_536, 65_999]) {
      const proof = inclusionProof(fromTiles, { index, size });
      expect(verifyInclusion({ index, size }, { leaf: leafAt(index), root: treeRoot(head) }, proof)).toBe(
        true,
      );
    }
    const proof = consistencyProof(fromTiles, { from: 40_000, to: size });
    const roots = { from: treeRoot(headOf(fromTiles, 40_000)), to: treeRoot(head) };
    expect(verifyConsistency({ from: 40_000, to: size }, roots, proof)).toBe(true);
  });
});

function flipped(proof: readonly Buffer[], at: number, bit: number): Buffer[] {
  return proof.map((hash, i) => (i === at ? flipBit(hash, bit) : hash));
}

function flipBit(hash: Buffer, bit: number): Buffer {
  const copy = Buffer.from(hash);
  copy.writeUInt8(copy.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
  return copy;
}
