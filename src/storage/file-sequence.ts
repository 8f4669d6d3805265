import { Fault } from '../faults.ts';
import { invariant } from '../lib/invariant.ts';
import { readJobState, writeJobState } from './job-state-store.ts';
import type { Reader, Synchronous, Tx } from './tx.ts';

/** Numbers reserved with one commit. At the highest rate of issuing a block lasts seconds. */
const BLOCK = 4096;
/** With fewer than this left the next block is reserved, well before the numbers run out. */
const LOW = BLOCK / 2;

/** Numbers for issued files: each is given once in the life of a branch, whatever is killed when. */
export interface FileSequence {
  /** The branch the numbers belong to. */
  readonly branch: string;
  /**
   * The next number, from 1 up. Durable already: a block of numbers was committed before the first of it was given.
   * Gaps are normal: a signature discarded at commit burns one, a stop without `close` the rest of a block.
   * @throws Fault OVERLOADED when no further block could be reserved (the disk has been full for thousands of files).
   */
  next(): number;
  /** Gives the unused rest of the block back; no number is given any more. */
  close(): Promise<void>;
}

/** What a sequence stands on: the part of the unit of work that keeps books. */
export interface SequenceDeps {
  readonly work: {
    readonly read: Reader;
    keep<T>(job: string, unit: (tx: Tx) => Synchronous<T>): Promise<T>;
  };
}

/** Opens the sequence of a branch, with its first block reserved. @throws Fault DISK_FULL */
export async function openFileSequence(deps: SequenceDeps, branch: string): Promise<FileSequence> {
  const sequence = new ReservedSequence(deps, branch);
  await sequence.reserve();
  return sequence;
}

class ReservedSequence implements FileSequence {
  readonly branch: string;
  readonly #work: SequenceDeps['work'];
  readonly #job: string;
  #next: number;
  /** The highest number that is committed as reserved. */
  #reserved: number;
  #reserving = false;
  #failure: unknown;
  #closed = false;

  constructor(deps: SequenceDeps, branch: string) {
    this.branch = branch;
    this.#work = deps.work;
    this.#job = `file-sequence:${branch}`;
    this.#reserved = readMark(deps.work.read, this.#job);
    this.#next = this.#reserved + 1;
  }

  next(): number {
    invariant(!this.#closed, 'no number is given after the sequence was closed');
    if (this.#reserved - this.#next < LOW) this.#reserveSoon();
    if (this.#next > this.#reserved) {
      throw new Fault('OVERLOADED', 'no further file numbers could be reserved; try again shortly', {
        cause: this.#failure,
        retryAfterMs: 1000,
      });
    }
    return this.#next++;
  }

  /** Reserves one more block; numbers of it are given only when the commit has returned. */
  async reserve(): Promise<void> {
    const upTo = await this.#work.keep(this.#job, (tx) => {
      const mark = readMark(tx, this.#job) + BLOCK;
      writeJobState(tx, this.#job, String(mark));
      return mark;
    });
    invariant(upTo === this.#reserved + BLOCK, 'one process owns the file numbers of a branch');
    this.#reserved = upTo;
  }

  async close(): Promise<void> {
    this.#closed = true;
    const used = this.#next - 1;
    await this.#work.keep(this.#job, (tx) => {
      writeJobState(tx, this.#job, String(used));
    });
  }

  #reserveSoon(): void {
    if (this.#reserving) return;
    this.#reserving = true;
    // A failure is told to whoever finds the block empty; until then nobody is harmed by it.
    this.reserve()
      .then(() => {
        this.#failure = undefined;
      })
      .catch((error: unknown) => {
        this.#failure = error;
      })
      .finally(() => {
        this.#reserving = false;
      });
  }
}

function readMark(reader: Reader, job: string): number {
  const mark = Number(readJobState(reader, job) ?? '0');
  invariant(Number.isSafeInteger(mark) && mark >= 0, `the mark of ${job} is a whole number`);
  return mark;
}
