import { open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Fault } from '../faults.ts';
import type { Reader } from '../storage/tx.ts';
import { type CheckpointNote, parseCheckpoint } from './checkpoint.ts';
import { lastCheckpoint, ledgerSize, storedNodes } from './ledger-store.ts';
import { treeRoot } from './merkle.ts';
import { headOf } from './merkle-proof.ts';
import { type VerifierKey, isSignedBy } from './note.ts';

const ANCHOR_MODE = 0o600;

/** How an anchor stands to the ledger. */
export type AnchorFinding =
  | { readonly state: 'contained'; readonly size: number }
  | { readonly state: 'absent' }
  /** Not a checkpoint of this appliance's keys: damaged, or somebody else's. It says nothing of the ledger. */
  | { readonly state: 'unreadable'; readonly reason: string }
  /** The ledger that was signed is not the one we have: the database was put back, or rewritten. */
  | {
      readonly state: 'rolled-back';
      readonly anchorSize: number;
      readonly ledgerSize: number;
      readonly reason: string;
    };

/**
 * The last signed checkpoint, in a file beside the database: the weakest of anchors, since whoever puts back the whole
 * disk puts it back too, but enough against a database put back alone.
 */
export interface Anchor {
  /** When this resolves, the note is on disk, and no crash leaves anything but it or the one before it. */
  write(note: string): Promise<void>;
  /** The note; undefined when there is none. */
  read(): Promise<string | undefined>;
}

/** The anchor in a file of the data directory. */
export function anchorFile(path: string): Anchor {
  return {
    write: (note) => replaceFile(path, note),
    read: async () => {
      try {
        return await readFile(path, 'utf8');
      } catch (error) {
        if (isAbsent(error)) return undefined;
        throw error;
      }
    },
  };
}

/**
 * Whether the ledger of a database contains what an anchor states, and what its own newest checkpoint states: without an
 * anchor a ledger that was rewritten still contradicts itself. Reads a few tiles, whatever the size.
 */
export function checkAnchor(
  reader: Reader,
  note: string | undefined,
  keys: readonly VerifierKey[],
): AnchorFinding {
  const anchored = compare(reader, { note, keys, name: 'the anchor' });
  if (anchored.state === 'rolled-back') return anchored;
  const own = compare(reader, { note: lastCheckpoint(reader)?.note, keys, name: 'the newest checkpoint' });
  return own.state === 'rolled-back' ? own : anchored;
}

interface Compared {
  readonly note: string | undefined;
  readonly keys: readonly VerifierKey[];
  /** What it is called in a reason. */
  readonly name: string;
}

function compare(reader: Reader, { note, keys, name }: Compared): AnchorFinding {
  if (note === undefined) return { state: 'absent' };
  const checkpoint = readOwn(note, keys);
  if (typeof checkpoint === 'string') return { state: 'unreadable', reason: checkpoint };
  const size = ledgerSize(reader);
  const place = { state: 'rolled-back', anchorSize: checkpoint.size, ledgerSize: size } as const;
  const signed = `${name} was signed over ${String(checkpoint.size)} entries`;
  if (checkpoint.size > size) return { ...place, reason: `${signed}, the ledger has ${String(size)}` };
  const root = treeRoot(headOf(storedNodes(reader), checkpoint.size));
  if (root.equals(checkpoint.root)) return { state: 'contained', size: checkpoint.size };
  return { ...place, reason: `${signed}, and the first ${String(checkpoint.size)} of the ledger are others` };
}

function readOwn(note: string, keys: readonly VerifierKey[]): CheckpointNote | string {
  try {
    const checkpoint = parseCheckpoint(note);
    const own = keys.some((key) => key.name === checkpoint.origin && isSignedBy(checkpoint.note, key));
    return own ? checkpoint : 'it is not signed by a ledger key of this appliance';
  } catch (error) {
    if (error instanceof Fault) return error.message;
    throw error;
  }
}

/**
 * 1. The new content under another name, and its fsync. Stop here: the old anchor stands.
 * 2. Renamed. Stop here: old or new, whole in either case.
 * 3. The directory's fsync: the new name survives a power cut.
 */
async function replaceFile(path: string, content: string): Promise<void> {
  const fresh = `${path}.new`;
  await using file = await open(fresh, 'w', ANCHOR_MODE);
  await file.writeFile(content);
  await file.sync();
  await rename(fresh, path);
  await using directory = await open(dirname(path), 'r');
  await directory.sync();
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
