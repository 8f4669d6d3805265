import type { DiskEvent } from './strace.ts';

/** What a power cut does to everything that was not made durable. */
export const FATES = ['lost', 'kept', 'some', 'torn'] as const;

/** `lost`: nothing of it is there; `kept`: all; `some`: any of the writes; `torn`: any of their sectors. */
export type Fate = (typeof FATES)[number];

/** The smallest piece that a disk writes whole. */
const SECTOR = 512;

/** One change of a file that is not durable yet; without bytes: the file ends at `offset`. */
interface Change {
  readonly number: number;
  readonly offset: number;
  readonly bytes: Buffer | null;
}

/** A file, whatever it is called. */
interface Inode {
  durable: Buffer;
  pending: Change[];
  size: number;
}

/** A change of a directory that is not durable yet: names that now lead to a file, or to none. */
interface Naming {
  readonly number: number;
  readonly directory: string;
  readonly names: readonly (readonly [string, Inode | null])[];
}

/**
 * A data directory as the disk sees it: what is durable, and what is still on its way. It promises what POSIX does and no
 * more: only fsync makes the bytes of a file durable, only the fsync of a directory its names, and what was not synced
 * may be there, in any part and any order, or not.
 */
export class RecordedDisk {
  readonly #live = new Map<string, Inode>();
  readonly #durable = new Map<string, Inode>();
  #names: Naming[] = [];
  #number = 0;
  /** For each sync under way, the last change that was made before it began. */
  readonly #syncs = new Map<number, number>();

  /** @param files what is there, durable, when the recording begins */
  constructor(files: ReadonlyMap<string, Buffer>) {
    for (const [path, bytes] of files) {
      const inode = { durable: bytes, pending: [], size: bytes.length };
      this.#live.set(path, inode);
      this.#durable.set(path, inode);
    }
  }

  /** Does what the program did. @returns false when it was nothing to a disk */
  apply(event: DiskEvent): boolean {
    switch (event.kind) {
      case 'write':
        return this.#write(this.#at(event.path), event.offset, event.bytes);
      case 'truncate':
        return this.#write(this.#at(event.path), event.size, null);
      case 'open':
        return !this.#live.has(event.path) && this.#at(event.path).size === 0;
      case 'rename':
        return this.#rename(event.path, event.to);
      case 'unlink':
        return this.#live.has(event.path) && this.#name(event.path, [[event.path, null]]);
      case 'sync-begin':
        this.#syncs.set(event.number, this.#number);
        return false;
      case 'sync-end':
        return this.#sync(event.path, event.number);
      case 'sent':
        return false;
    }
  }

  /** Every file as the program sees it now. */
  live(): Map<string, Buffer> {
    return new Map([...this.#live].map(([path, inode]) => [path, contents(inode.durable, inode.pending)]));
  }

  /** Every file as it may be found after a power cut at this moment. @param random numbers in [0, 1) */
  cut(fate: Fate, random: () => number): Map<string, Buffer> {
    const survives = (): boolean => fate === 'kept' || (fate !== 'lost' && random() < 0.5);
    const names = new Map(this.#durable);
    for (const naming of this.#names) if (survives()) link(names, naming);
    const found = new Map<Inode, Buffer>();
    for (const inode of new Set(names.values())) found.set(inode, survivor(inode, { fate, survives }));
    return new Map([...names].map(([path, inode]) => [path, found.get(inode) ?? inode.durable]));
  }

  #at(path: string): Inode {
    const known = this.#live.get(path);
    if (known !== undefined) return known;
    const made = { durable: Buffer.alloc(0), pending: [], size: 0 };
    this.#name(path, [[path, made]]);
    return made;
  }

  #write(inode: Inode, offset: number | null, bytes: Buffer | null): boolean {
    const at = offset ?? inode.size;
    inode.size = bytes === null ? at : Math.max(inode.size, at + bytes.length);
    inode.pending.push({ number: ++this.#number, offset: at, bytes });
    return true;
  }

  #rename(from: string, to: string): boolean {
    // One change: no cut leaves both names, or neither.
    return this.#name(to, [
      [to, this.#at(from)],
      [from, null],
    ]);
  }

  #name(path: string, names: Naming['names']): true {
    const naming = { number: ++this.#number, directory: path.slice(0, path.lastIndexOf('/')), names };
    this.#names.push(naming);
    link(this.#live, naming);
    return true;
  }

  #sync(path: string, number: number): boolean {
    const upTo = this.#syncs.get(number) ?? 0;
    const before = (change: { number: number }): boolean => change.number <= upTo;
    const inode = this.#live.get(path);
    if (inode !== undefined) {
      inode.durable = contents(inode.durable, inode.pending.filter(before));
      inode.pending = inode.pending.filter((change) => !before(change));
    }
    for (const naming of this.#names.filter((each) => each.directory === path && before(each)))
      link(this.#durable, naming);
    this.#names = this.#names.filter((each) => each.directory !== path || !before(each));
    return true;
  }
}

function link(names: Map<string, Inode>, naming: Naming): void {
  for (const [path, inode] of naming.names) {
    if (inode === null) names.delete(path);
    else names.set(path, inode);
  }
}

function survivor(inode: Inode, given: { readonly fate: Fate; readonly survives: () => boolean }): Buffer {
  const { fate, survives } = given;
  const pieces = fate === 'torn' ? inode.pending.flatMap(sectorsOf) : inode.pending;
  return contents(inode.durable, pieces.filter(survives));
}

/** A write, cut where the sectors of the disk end. */
function sectorsOf({ number, offset, bytes }: Change): Change[] {
  if (bytes === null) return [{ number, offset, bytes }];
  const pieces: Change[] = [];
  for (let from = 0; from < bytes.length;) {
    const to = Math.min(bytes.length, from + SECTOR - ((offset + from) % SECTOR));
    pieces.push({ number, offset: offset + from, bytes: bytes.subarray(from, to) });
    from = to;
  }
  return pieces;
}

function contents(durable: Buffer, changes: readonly Change[]): Buffer {
  if (changes.length === 0) return durable;
  const ends = changes.map(({ offset, bytes }) => offset + (bytes?.length ?? 0));
  const whole = Buffer.alloc(Math.max(durable.length, ...ends));
  durable.copy(whole);
  let size = durable.length;
  for (const { offset, bytes } of changes) {
    if (bytes === null) whole.fill(0, Math.min(offset, size));
    else bytes.copy(whole, offset);
    size = bytes === null ? offset : Math.max(size, offset + bytes.length);
  }
  return whole.subarray(0, size);
}
