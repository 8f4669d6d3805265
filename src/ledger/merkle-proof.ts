import { invariant } from '../lib/invariant.ts';
import { EMPTY_TREE, type TreeHead, nodeHash, treeRoot } from './merkle.ts';

/**
 * Reads the root of a complete subtree: the one over the leaves `number × 2^level` up to, not including,
 * `(number + 1) × 2^level`. Only asked for subtrees that lie within the tree's size.
 */
export type NodeReader = (level: number, number: number) => Buffer;

/** A proof's place: a tree of `size` leaves and the leaf at `index` in it. */
export interface InclusionPlace {
  readonly index: number;
  readonly size: number;
}

/** Two sizes of one growing tree, `from` ≤ `to`. */
export interface GrowthPlace {
  readonly from: number;
  readonly to: number;
}

/** A reader that hashes every subtree from the leaf hashes: exact, and as slow as it sounds without a cache. */
export function nodesOfLeaves(leafAt: (index: number) => Buffer): NodeReader {
  const read: NodeReader = (level, number) =>
    level === 0 ? leafAt(number) : nodeHash(read(level - 1, 2 * number), read(level - 1, 2 * number + 1));
  return read;
}

/** The head of the first `size` leaves: one peak per set bit of `size`. */
export function headOf(read: NodeReader, size: number): TreeHead {
  const peaks: Buffer[] = [];
  let done = 0;
  while (done < size) {
    const level = Math.floor(Math.log2(size - done));
    peaks.push(read(level, done / 2 ** level));
    done += 2 ** level;
  }
  return { size, peaks };
}

/**
 * The audit path of one leaf, from the leaf's sibling up (RFC 6962 §2.1.1).
 * @throws InvariantViolation when `index` is not below `size`
 */
export function inclusionProof(read: NodeReader, { index, size }: InclusionPlace): Buffer[] {
  invariant(index >= 0 && index < size, 'a leaf outside the tree has no proof in it');
  const path: Buffer[] = [];
  let [low, high] = [0, size];
  while (high - low > 1) {
    const middle = low + splitOf(high - low);
    const inLeft = index < middle;
    path.push(inLeft ? rangeRoot(read, middle, high) : rangeRoot(read, low, middle));
    [low, high] = inLeft ? [low, middle] : [middle, high];
  }
  return path.reverse();
}

/**
 * The proof that the tree of `from` leaves is the beginning of the tree of `to` leaves (RFC 6962 §2.1.2). Empty for
 * `from` 0 (every tree begins with nothing) and for equal sizes.
 * @throws InvariantViolation when `from` is above `to`
 */
export function consistencyProof(read: NodeReader, { from, to }: GrowthPlace): Buffer[] {
  invariant(from >= 0 && from <= to, 'a tree only grows');
  if (from === 0 || from === to) return [];
  const path: Buffer[] = [];
  let [low, high] = [0, to];
  while (from < high) {
    const middle = low + splitOf(high - low);
    const inLeft = from <= middle;
    path.push(inLeft ? rangeRoot(read, middle, high) : rangeRoot(read, low, middle));
    [low, high] = inLeft ? [low, middle] : [middle, high];
  }
  // The remaining subtree is the old tree itself when it starts at 0; the verifier knows that root already.
  if (low > 0) path.push(rangeRoot(read, low, high));
  return path.reverse();
}

/** Whether `proof` shows that `leaf` is at `index` of the tree with `root` (RFC 9162 §2.1.3.2). Never throws. */
export function verifyInclusion(
  place: InclusionPlace,
  claim: { readonly leaf: Buffer; readonly root: Buffer },
  proof: readonly Buffer[],
): boolean {
  if (!isRange(place.index, place.size - 1)) return false;
  let at: Position = [place.index, place.size - 1];
  let node = claim.leaf;
  for (const sibling of proof) {
    if (at[1] === 0) return false;
    const fromLeft = isRightChild(at);
    node = fromLeft ? nodeHash(sibling, node) : nodeHash(node, sibling);
    at = parent(fromLeft ? skipLoneNodes(at) : at);
  }
  return at[1] === 0 && node.equals(claim.root);
}

/**
 * Whether `proof` shows that the tree with root `roots.from` is the beginning of the one with root `roots.to`
 * (RFC 9162 §2.1.4.2). Never throws.
 */
export function verifyConsistency(
  place: GrowthPlace,
  roots: { readonly from: Buffer; readonly to: Buffer },
  proof: readonly Buffer[],
): boolean {
  const { from, to } = place;
  if (!isRange(from, to)) return false;
  if (from === to) return proof.length === 0 && roots.from.equals(roots.to);
  if (from === 0) return proof.length === 0 && roots.from.equals(treeRoot(EMPTY_TREE));
  // A complete old tree is a node of the new one, and the proof leaves out what the verifier has already.
  const path = isPowerOfTwo(from) ? [roots.from, ...proof] : proof;
  return verifyGrowth([from - 1, to - 1], roots, path);
}

function verifyGrowth(
  last: Position,
  roots: { readonly from: Buffer; readonly to: Buffer },
  path: readonly Buffer[],
): boolean {
  const [first, ...siblings] = path;
  if (first === undefined) return false;
  let at = skipRightChildren(last);
  let [before, after] = [first, first];
  for (const sibling of siblings) {
    if (at[1] === 0) return false;
    const fromLeft = isRightChild(at);
    if (fromLeft) before = nodeHash(sibling, before);
    after = fromLeft ? nodeHash(sibling, after) : nodeHash(after, sibling);
    at = parent(fromLeft ? skipLoneNodes(at) : at);
  }
  return at[1] === 0 && before.equals(roots.from) && after.equals(roots.to);
}

/** A node's number on its level, and the number of the last node there. */
type Position = readonly [node: number, last: number];

const parent = ([node, last]: Position): Position => [Math.floor(node / 2), Math.floor(last / 2)];

/** Whether the sibling in the path stands to the left: of every odd node, and of a last node without a sibling. */
const isRightChild = ([node, last]: Position): boolean => node % 2 === 1 || node === last;

/** A last node without a sibling is its own parent: climb until it has one. */
function skipLoneNodes(at: Position): Position {
  let up = at;
  while (up[0] % 2 === 0 && up[0] !== 0) up = parent(up);
  return up;
}

/** Climbs from the old tree's last leaf to the root of the complete subtree it ends. */
function skipRightChildren(at: Position): Position {
  let up = at;
  while (up[0] % 2 === 1) up = parent(up);
  return up;
}

/** The root over leaves `low` up to `high`, where `low` is where the RFC's recursion would split. */
function rangeRoot(read: NodeReader, low: number, high: number): Buffer {
  const width = high - low;
  if (isPowerOfTwo(width)) return read(Math.log2(width), low / width);
  const middle = low + splitOf(width);
  return nodeHash(rangeRoot(read, low, middle), rangeRoot(read, middle, high));
}

/** The largest power of two below `width` (≥ 2). */
function splitOf(width: number): number {
  const power = 2 ** Math.floor(Math.log2(width));
  return power === width ? width / 2 : power;
}

function isPowerOfTwo(value: number): boolean {
  return 2 ** Math.floor(Math.log2(value)) === value;
}

const isRange = (low: number, high: number): boolean =>
  Number.isSafeInteger(low) && Number.isSafeInteger(high) && low >= 0 && low <= high;
