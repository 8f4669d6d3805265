import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Bytes of a digest that stand on a list: two things share them as good as never. */
const ENTRY_BYTES = 16;
/** Entries begin with one of 64 characters: by two of them they fall into few thousand drawers. */
const DRAWER_CHARACTERS = 2;
/** Drawers sorted in one turn: with half a million entries that is a few milliseconds. */
const DRAWERS_PER_TURN = 64;

/** An id as a list names it: whoever finds a list learns nothing but how many are on it. */
export function entryOfId(id: string): string {
  return entryOfDigest(createHash('sha256').update(`mm-crl/${id}`, 'utf8').digest());
}

/** A SHA-256 digest as a list gives it: its first 16 bytes, base64url. */
export function entryOfDigest(digest: Buffer): string {
  return digest.subarray(0, ENTRY_BYTES).toString('base64url');
}

/** Gathers entries, and gives them in the order of their characters (ASCII), each once, without holding the event loop. */
export class SortedEntries {
  readonly #drawers = new Map<string, string[]>();
  #size = 0;

  /** How many were added. */
  get size(): number {
    return this.#size;
  }

  add(entry: string): void {
    const name = entry.slice(0, DRAWER_CHARACTERS);
    const drawer = this.#drawers.get(name);
    if (drawer === undefined) this.#drawers.set(name, [entry]);
    else drawer.push(entry);
    this.#size += 1;
  }

  async sorted(): Promise<string[]> {
    const all: string[] = [];
    const names = [...this.#drawers.keys()].sort();
    for (const [at, name] of names.entries()) {
      if (at % DRAWERS_PER_TURN === 0 && at > 0) await nextTurn();
      const drawer = this.#drawers.get(name) ?? [];
      for (const entry of drawer.sort()) if (entry !== all.at(-1)) all.push(entry);
    }
    return all;
  }
}
