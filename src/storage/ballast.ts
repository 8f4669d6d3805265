import { randomFillSync } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';

const BLOCK_BYTES = 1024 * 1024;
const OWNER_ONLY = 0o600;

/**
 * Space held back on the disk. SQLite needs room even to delete rows, so on a full disk nothing could be cleaned up;
 * removing this file makes that room.
 */
export class Ballast {
  readonly #path: string;
  readonly bytes: number;
  #making = false;

  /** @param bytes how much to hold; 0 holds nothing */
  constructor(path: string, bytes: number) {
    this.#path = path;
    this.bytes = bytes;
  }

  /** True while the space is held. */
  get held(): boolean {
    return existsSync(this.#path);
  }

  /** Gives the space to whoever writes next. */
  free(): void {
    rmSync(this.#path, { force: true });
  }

  /** Takes the space; returns false, with nothing taken, when there is not enough. */
  async hold(): Promise<boolean> {
    if (this.held || this.bytes === 0) return true;
    if (this.#making) return false;
    this.#making = true;
    const beside = `${this.#path}.new`;
    try {
      await fill(beside, this.bytes);
      await rename(beside, this.#path);
      return true;
    } catch (error) {
      rmSync(beside, { force: true });
      if (isNoSpace(error)) return false;
      throw error;
    } finally {
      this.#making = false;
    }
  }
}

/** Random bytes, since a file system that compresses or skips zeros would hold nothing. */
async function fill(path: string, bytes: number): Promise<void> {
  await using file = await open(path, 'w', OWNER_ONLY);
  const block = randomFillSync(Buffer.alloc(BLOCK_BYTES));
  for (let left = bytes; left > 0; left -= BLOCK_BYTES) {
    await file.write(block.subarray(0, Math.min(left, BLOCK_BYTES)));
  }
  await file.sync();
}

function isNoSpace(error: unknown): boolean {
  return error instanceof Error && 'code' in error && ['ENOSPC', 'EDQUOT'].includes(String(error.code));
}
