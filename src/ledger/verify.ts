import { Fault } from '../faults.ts';
import { type CheckpointNote, parseCheckpoint } from './checkpoint.ts';
import { type EntryDocument, parseEntry } from './entry.ts';
import { KeyChain, LEDGER_KEY_CHANGED } from './key-chain.ts';
import { EMPTY_TREE, HASH_BYTES, type TreeHead, appendLeaf, leafHash, treeRoot } from './merkle.ts';
import { type VerifierKey, formatVerifierKey } from './note.ts';

/** What can be wrong with a log. Codes are stable. */
export type ProblemCode =
  | 'ENTRY_MALFORMED'
  | 'ENTRY_MISPLACED'
  | 'ENTRY_ALTERED'
  | 'ENTRY_MISSING'
  | 'ROOT_MISMATCH'
  | 'TILE_ALTERED'
  | 'CHECKPOINT_MALFORMED'
  | 'CHECKPOINT_ORIGIN'
  | 'CHECKPOINT_ORDER'
  | 'CHECKPOINT_SIGNATURE'
  | 'CHECKPOINT_MISSING'
  | 'KEY_CHANGE'
  | 'KEY_UNPROVEN';

/** One thing found wrong. */
export interface LedgerProblem {
  readonly code: ProblemCode;
  /** The first entry it concerns, when it concerns entries. */
  readonly index?: number;
  /** When the place is not known better: the entries from `index` up to, not including, this one. */
  readonly to?: number;
  readonly message: string;
}

/** What a verification found. `ok` means: every entry below `signedSize` is exactly what the ledger key signed. */
export interface LedgerReport {
  readonly ok: boolean;
  readonly origin: string;
  /** Leaves read: `entries` of them in full, `bareHashes` as hashes of somebody else's entries. */
  readonly size: number;
  readonly entries: number;
  readonly bareHashes: number;
  /** Root over all leaves read, base64. */
  readonly root: string;
  readonly checkpoints: number;
  /** Size of the largest good checkpoint; what follows is not signed yet. */
  readonly signedSize: number;
  /** Times of the first and last entry, as they say themselves. */
  readonly period: { readonly first: string; readonly last: string } | null;
  /** Keys in the order they were in force, each with the size of the first checkpoint it had to sign. */
  readonly keys: readonly { readonly key: string; readonly from: number }[];
  /** The first entry that is not what it was, or the range it lies in. */
  readonly firstBad: LedgerProblem | null;
  /** At most three of each code: one wrong line can displace a million others. */
  readonly problems: readonly LedgerProblem[];
}

/** What a verification rests on. */
export interface VerificationBasis {
  /** The one key trusted beforehand; it proves all later ones. */
  readonly firstKey: VerifierKey;
  /** Signed checkpoints in order of size. */
  readonly checkpoints: Iterable<string>;
  /** The leaf hash written down beside the entries, when there is one: tells which entry was altered. */
  readonly recordedLeaf?: ((index: number) => Buffer | undefined) | undefined;
  /** Keys the export lists; each must be proven by the log. */
  readonly listedKeys?: readonly string[];
  /** Whether a log without any checkpoint is in order: where it is stored, a young one may be. */
  readonly mayBeUnsigned?: boolean;
}

const PROBLEMS_PER_CODE = 3;
const QUOTE = 0x22;
/** A leaf shown as a bare hash: a JSON string of 44 base64 characters. */
const BARE_LINE_BYTES = 46;

/** A second reading of the tree, from the recorded leaf hashes, since the first of them that differs. */
interface Suspicion {
  readonly index: number;
  readonly head: TreeHead;
}

/**
 * Recomputes a log from its leaves, one after the other, and checks every checkpoint on the way. Bounded memory, no I/O.
 */
export class LedgerVerification {
  readonly #basis: VerificationBasis;
  readonly #checkpoints: Iterator<string>;
  readonly #chain: KeyChain;
  readonly #problems: LedgerProblem[] = [];
  #next: CheckpointNote | undefined;
  #head: TreeHead = EMPTY_TREE;
  #suspicion: Suspicion | undefined;
  #broken = false;
  #good = 0;
  #signedSize = 0;
  #bareHashes = 0;
  #first: string | undefined;
  #last: string | undefined;

  constructor(basis: VerificationBasis) {
    this.#basis = basis;
    this.#chain = new KeyChain(basis.firstKey);
    this.#checkpoints = basis.checkpoints[Symbol.iterator]();
    this.#advance(0);
    this.#settle();
  }

  /** Leaves read so far. */
  get size(): number {
    return this.#head.size;
  }

  /** Takes the next leaf: the bytes of an entry, or a JSON string with the base64 of its hash. No line feed. */
  add(line: Buffer): void {
    const index = this.#head.size;
    const leaf = line[0] === QUOTE ? this.#bareHash(line, index) : leafHash(line);
    if (line[0] !== QUOTE) this.#examine(line, index);
    this.#compare(index, leaf);
    this.#head = appendLeaf(this.#head, leaf);
    this.#settle();
  }

  /** Ends the log and says what was found. */
  finish(): LedgerReport {
    while (this.#next !== undefined) {
      this.#missing(this.#next);
      this.#advance(this.#next.size);
    }
    if (this.#suspicion !== undefined) this.#unproven(this.#suspicion.index);
    if (this.#signedSize === 0 && !this.#mayBeUnsigned()) {
      this.#report('CHECKPOINT_MISSING', {}, 'no good checkpoint signs any of these entries');
    }
    this.#checkListedKeys();
    return this.#summary();
  }

  #mayBeUnsigned(): boolean {
    return this.#basis.mayBeUnsigned === true && this.#problems.length === 0;
  }

  #bareHash(line: Buffer, index: number): Buffer {
    this.#bareHashes++;
    const text = line.toString('latin1', 1, BARE_LINE_BYTES - 1);
    const hash = Buffer.from(text, 'base64');
    const exact = line.length === BARE_LINE_BYTES && line[BARE_LINE_BYTES - 1] === QUOTE;
    if (exact && hash.length === HASH_BYTES && hash.toString('base64') === text) return hash;
    this.#report('ENTRY_MALFORMED', { index }, 'the line is not a quoted base64 hash');
    return leafHash(line);
  }

  #examine(line: Buffer, index: number): void {
    try {
      const entry = parseEntry(line);
      this.#first ??= entry.at;
      this.#last = entry.at;
      if (entry.index !== index) this.#misplaced(entry, index);
      if (entry.action === LEDGER_KEY_CHANGED) this.#changeKey(entry);
    } catch (error) {
      this.#report('ENTRY_MALFORMED', { index }, faultMessage(error));
    }
  }

  #misplaced(entry: EntryDocument, index: number): void {
    // One inserted or removed line displaces all that follow; they are not news.
    if (this.#problems.some(({ code }) => code === 'ENTRY_MISPLACED')) return;
    const message = `the entry in this place says it is number ${String(entry.index)}: something was inserted, removed or moved`;
    this.#report('ENTRY_MISPLACED', { index }, message);
  }

  #changeKey(entry: EntryDocument): void {
    try {
      this.#chain.change(entry);
    } catch (error) {
      this.#report('KEY_CHANGE', { index: entry.index }, faultMessage(error));
    }
  }

  #compare(index: number, leaf: Buffer): void {
    const recorded = this.#basis.recordedLeaf?.(index);
    const differs = recorded !== undefined && !recorded.equals(leaf);
    if (differs) this.#suspicion ??= { index, head: this.#head };
    if (this.#suspicion === undefined) return;
    this.#suspicion = { ...this.#suspicion, head: appendLeaf(this.#suspicion.head, recorded ?? leaf) };
  }

  /** Checks the checkpoints over exactly the leaves read so far. */
  #settle(): void {
    while (this.#next?.size === this.#head.size) {
      const checkpoint = this.#next;
      // What an unsigned checkpoint says of the entries is worth nothing.
      if (this.#checkSignature(checkpoint) && this.#checkRoot(checkpoint)) {
        this.#good++;
        this.#signedSize = checkpoint.size;
      }
      this.#advance(checkpoint.size);
    }
  }

  #checkSignature(checkpoint: CheckpointNote): boolean {
    const origin = this.#basis.firstKey.name;
    if (checkpoint.origin !== origin) {
      this.#report(
        'CHECKPOINT_ORIGIN',
        {},
        `${nameOf(checkpoint)} belongs to ${checkpoint.origin}, not to ${origin}`,
      );
      return false;
    }
    if (this.#chain.accepts(checkpoint.note, checkpoint.size)) return true;
    this.#report(
      'CHECKPOINT_SIGNATURE',
      {},
      `${nameOf(checkpoint)} lacks a valid signature of the key in force`,
    );
    return false;
  }

  #checkRoot(checkpoint: CheckpointNote): boolean {
    const suspicion = this.#suspicion;
    this.#suspicion = undefined;
    if (treeRoot(this.#head).equals(checkpoint.root)) {
      if (suspicion !== undefined) this.#unproven(suspicion.index);
      return true;
    }
    if (suspicion !== undefined && treeRoot(suspicion.head).equals(checkpoint.root)) {
      this.#report('ENTRY_ALTERED', { index: suspicion.index }, 'the entry is not the one that was signed');
      // The recorded hashes are what was signed: with them the rest can still be checked.
      this.#head = suspicion.head;
      return false;
    }
    if (!this.#broken) this.#mismatch(checkpoint, suspicion);
    this.#broken = true;
    return false;
  }

  #mismatch(checkpoint: CheckpointNote, suspicion: Suspicion | undefined): void {
    const range = { index: this.#signedSize, to: checkpoint.size };
    const hint =
      suspicion === undefined ? '' : `; the recorded hashes differ from number ${String(suspicion.index)} on`;
    this.#report('ROOT_MISMATCH', range, `${nameOf(checkpoint)} signs other entries than these${hint}`);
  }

  #unproven(index: number): void {
    this.#report('TILE_ALTERED', { index }, 'the tile holds another hash than the entry has');
  }

  #missing(checkpoint: CheckpointNote): void {
    const signed = this.#checkSignature(checkpoint);
    if (!signed || this.#problems.some(({ code }) => code === 'ENTRY_MISSING')) return;
    const lost = `the log ends here, but ${nameOf(checkpoint)} was signed`;
    this.#report('ENTRY_MISSING', { index: this.#head.size, to: checkpoint.size }, lost);
  }

  /** Reads on to the next checkpoint that can be read and is not smaller than the one before it. */
  #advance(size: number): void {
    this.#next = undefined;
    while (this.#next === undefined) {
      const read = this.#checkpoints.next();
      if (read.done === true) return;
      const checkpoint = this.#parse(read.value);
      if (checkpoint === undefined) continue;
      if (checkpoint.size >= size) this.#next = checkpoint;
      else this.#report('CHECKPOINT_ORDER', {}, `${nameOf(checkpoint)} follows one over ${String(size)}`);
    }
  }

  #parse(text: string): CheckpointNote | undefined {
    try {
      return parseCheckpoint(text);
    } catch (error) {
      this.#report('CHECKPOINT_MALFORMED', {}, faultMessage(error));
      return undefined;
    }
  }

  #checkListedKeys(): void {
    const proven = new Set(this.#chain.keys.map(({ key }) => formatVerifierKey(key)));
    for (const listed of this.#basis.listedKeys ?? []) {
      if (!proven.has(listed))
        this.#report('KEY_UNPROVEN', {}, `no entry of the log proves the key ${listed}`);
    }
  }

  #report(code: ProblemCode, place: { index?: number; to?: number }, message: string): void {
    const known = this.#problems.filter((problem) => problem.code === code).length;
    if (known < PROBLEMS_PER_CODE) this.#problems.push({ code, ...place, message });
  }

  #summary(): LedgerReport {
    const { size } = this.#head;
    return {
      ok: this.#problems.length === 0,
      origin: this.#basis.firstKey.name,
      size,
      entries: size - this.#bareHashes,
      bareHashes: this.#bareHashes,
      root: treeRoot(this.#head).toString('base64'),
      checkpoints: this.#good,
      signedSize: this.#signedSize,
      period: this.#first === undefined ? null : { first: this.#first, last: this.#last ?? this.#first },
      keys: this.#chain.keys.map(({ key, from }) => ({ key: formatVerifierKey(key), from })),
      firstBad: firstBadEntry(this.#problems),
      problems: this.#problems,
    };
  }
}

/** The earliest entry that is known to be bad, or the range in which the earliest one lies. */
function firstBadEntry(problems: readonly LedgerProblem[]): LedgerProblem | null {
  // A tile is a copy beside the entries: that one is altered says nothing of an entry.
  const bad = problems.filter(({ code, index }) => index !== undefined && code !== 'TILE_ALTERED');
  const earliest = (found: readonly LedgerProblem[]): LedgerProblem | undefined =>
    found.toSorted((a, b) => (a.index ?? 0) - (b.index ?? 0))[0];
  const exact = earliest(bad.filter(({ to }) => to === undefined));
  const range = earliest(bad.filter(({ to }) => to !== undefined));
  if (exact === undefined || range === undefined) return exact ?? range ?? null;
  return (exact.index ?? 0) < (range.to ?? 0) ? exact : range;
}

const nameOf = ({ size }: CheckpointNote): string => `the checkpoint over ${String(size)} entries`;

function faultMessage(error: unknown): string {
  if (error instanceof Fault) return error.message;
  throw error;
}
