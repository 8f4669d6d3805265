import { hash } from 'node:crypto';
import { present } from '../lib/invariant.ts';

/** Length of every hash in the tree: SHA-256. */
export const HASH_BYTES = 32;

/** RFC 6962 §2.1: leaves and nodes are hashed under different prefixes, so that neither can pass for the other. */
const LEAF_PREFIX = 0x00;
const NODE_PREFIX = 0x01;

/**
 * All that is needed to append to a tree and to know its root: how many leaves it has, and the roots of the complete
 * subtrees they fall into, from left (largest) to right, one per set bit of `size`. A value: it never changes.
 */
export interface TreeHead {
  readonly size: number;
  readonly peaks: readonly Buffer[];
}

/** The head of a tree without leaves. */
export const EMPTY_TREE: TreeHead = { size: 0, peaks: [] };

/** SHA-256 of `bytes`. */
export function sha256(bytes: Uint8Array): Buffer {
  // Going through a binary string costs half of asking node:crypto for a buffer, which allocates outside the heap.
  return Buffer.from(hash('sha256', bytes, 'binary'), 'binary');
}

/** The hash of a leaf (RFC 6962 §2.1): SHA-256(0x00 ‖ entry). */
export function leafHash(entry: Uint8Array): Buffer {
  const input = Buffer.allocUnsafe(entry.length + 1);
  input[0] = LEAF_PREFIX;
  input.set(entry, 1);
  return sha256(input);
}

// Written and read within one synchronous call; no other call can find it half filled.
const nodeInput = Buffer.alloc(1 + 2 * HASH_BYTES, NODE_PREFIX);

/** The hash of an inner node (RFC 6962 §2.1): SHA-256(0x01 ‖ left ‖ right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  nodeInput.set(left, 1);
  nodeInput.set(right, 1 + HASH_BYTES);
  return sha256(nodeInput);
}

/**
 * The head after one more leaf. Amortised cost: one node hash.
 * @param leaf the leaf's hash, 32 bytes
 */
export function appendLeaf(head: TreeHead, leaf: Buffer): TreeHead {
  const peaks = [...head.peaks];
  let node = leaf;
  // One peak merges per lowest set bit of the size; division, because a size may be above 2^32.
  for (let rest = head.size; rest % 2 === 1; rest = (rest - 1) / 2) {
    node = nodeHash(present(peaks.pop(), 'a head has one peak per set bit of its size'), node);
  }
  peaks.push(node);
  return { size: head.size + 1, peaks };
}

/** The root hash of the tree with this head (RFC 6962 §2.1); of an empty tree SHA-256 of nothing. */
export function treeRoot(head: TreeHead): Buffer {
  const root = head.peaks.reduceRight<Buffer | undefined>(
    (right, peak) => (right === undefined ? peak : nodeHash(peak, right)),
    undefined,
  );
  return root ?? sha256(Buffer.alloc(0));
}
