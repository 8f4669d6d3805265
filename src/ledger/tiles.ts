import { invariant } from '../lib/invariant.ts';
import { EMPTY_TREE, HASH_BYTES, type TreeHead, appendLeaf, treeRoot } from './merkle.ts';
import type { NodeReader } from './merkle-proof.ts';

/** Levels of the tree in one tile (C2SP tlog-tiles, fixed there). */
export const TILE_HEIGHT = 8;
/** Hashes in a full tile. */
export const TILE_WIDTH = 2 ** TILE_HEIGHT;
/** Length of a full tile: its hashes one after the other. */
export const TILE_BYTES = TILE_WIDTH * HASH_BYTES;

/** Which tile: `level` counts tiles from the leaves up, `number` from the left. */
export interface TileId {
  readonly level: number;
  readonly number: number;
}

/**
 * Where tiles come from. `tile` answers the hashes written so far of the tile, 32 bytes each, or as many of its first
 * ones as are known; it may answer less than is asked for only where the tree does not reach.
 */
export type TileReader = (id: TileId) => Buffer;

/**
 * The path of a tile (C2SP tlog-tiles): `tile/<level>/<number>`, the number in groups of three digits, all but the last
 * behind an `x`; a tile of less than 256 hashes ends in `.p/<width>`.
 */
export function tilePath({ level, number }: TileId, width: number = TILE_WIDTH): string {
  invariant(width > 0 && width <= TILE_WIDTH, 'a tile holds 1 to 256 hashes');
  const digits = String(number);
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/\d{3}/g) ?? [];
  const name = groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/');
  return `tile/${String(level)}/${name}${width < TILE_WIDTH ? `.p/${String(width)}` : ''}`;
}

/** Every tile, full and partial, of a tree of `size` leaves, level by level, with its width in hashes. */
export function* tilesOf(size: number): Generator<TileId & { readonly width: number }> {
  let level = 0;
  for (let hashes = size; hashes > 0; hashes = Math.floor(hashes / TILE_WIDTH)) {
    for (let number = 0; number * TILE_WIDTH < hashes; number++) {
      yield { level, number, width: Math.min(TILE_WIDTH, hashes - number * TILE_WIDTH) };
    }
    level++;
  }
}

/** The hash at `position` of a tile. */
export function hashInTile(tile: Buffer, position: number): Buffer {
  const end = (position + 1) * HASH_BYTES;
  invariant(end <= tile.length, 'a tile holds every hash the tree has there');
  return tile.subarray(end - HASH_BYTES, end);
}

/** The root over hashes `from` up to `to` of a tile; their number is a power of two. */
export function tileRoot(tile: Buffer, from: number = 0, to: number = TILE_WIDTH): Buffer {
  let head: TreeHead = EMPTY_TREE;
  for (let i = from; i < to; i++) head = appendLeaf(head, hashInTile(tile, i));
  return treeRoot(head);
}

/** Reads nodes out of tiles: at most one tile and 255 hashes a node. */
export function nodesOfTiles(tile: TileReader): NodeReader {
  return (level, number) => {
    const within = level % TILE_HEIGHT;
    const width = 2 ** within;
    const first = number * width;
    const bytes = tile({ level: (level - within) / TILE_HEIGHT, number: Math.floor(first / TILE_WIDTH) });
    const from = first % TILE_WIDTH;
    return tileRoot(bytes, from, from + width);
  };
}
