import { Fault } from '../faults.ts';
import { HASH_BYTES, type TreeHead, treeRoot } from './merkle.ts';
import { type Note, type NoteSigner, parseNote, signNote } from './note.ts';

/**
 * What a checkpoint states (C2SP tlog-checkpoint): three lines, no extension lines.
 *
 *   mintmark/<appliance id>
 *   <size, decimal>
 *   <base64 of the root hash>
 */
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
}

/** A checkpoint with the note that carries it; nothing is verified yet. */
export interface CheckpointNote extends Checkpoint {
  readonly note: Note;
}

/** The origin line of an appliance's ledger; also the name its notes are signed under. */
export function ledgerOrigin(applianceId: string): string {
  return `mintmark/${applianceId}`;
}

/** The text of a checkpoint: what is signed. */
export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${String(size)}\n${root.toString('base64')}\n`;
}

/**
 * Signs the checkpoint of a head. The head must be durable: what a checkpoint states can never be taken back.
 * @throws whatever a signer throws
 */
export function signCheckpoint(
  origin: string,
  head: TreeHead,
  signers: readonly NoteSigner[],
): Promise<string> {
  return signNote(formatCheckpoint({ origin, size: head.size, root: treeRoot(head) }), signers);
}

/**
 * Reads a signed checkpoint.
 * @throws Fault LEDGER_INVALID when it is not one
 */
export function parseCheckpoint(text: string): CheckpointNote {
  const note = parseNote(text);
  const [, origin, size, encoded] =
    /^(\S+)\n(0|[1-9]\d{0,15})\n([A-Za-z0-9+/=]{44})\n$/.exec(note.text) ?? [];
  const root = Buffer.from(encoded ?? '', 'base64');
  const exact = root.length === HASH_BYTES && root.toString('base64') === encoded;
  if (origin === undefined || !Number.isSafeInteger(Number(size)) || !exact) {
    throw new Fault('LEDGER_INVALID', 'the checkpoint is not an origin, a size and a root hash');
  }
  return { origin, size: Number(size), root, note };
}
