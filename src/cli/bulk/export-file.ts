import { createHash, type Hash } from 'node:crypto';
import { linkSync, lstatSync, readSync, rmSync, closeSync, constants, openSync } from 'node:fs';
import { CliError, EXIT } from '../exit-code.ts';
import { demandPlaceFor } from '../secret-file.ts';
import { AppendFile } from './append-file.ts';
import { lockExport } from './export-lock.ts';
import { type ExportIdentity, type ExportState, stateToResume } from './export-state.ts';
import type { ExportTarget, ExportPlace } from './export-target.ts';
import { syncDirectoryOf, writeStateFile } from './state-file.ts';

/** What a file of an export is to hold, and whether an earlier process began it. */
export interface ExportFileWish {
  readonly identity: ExportIdentity;
  readonly resume: boolean;
}

/** The names of an export: what it becomes, what is written of it so far, and how far that is certain. */
interface FileNames {
  readonly path: string;
  readonly beside: string;
  readonly state: string;
}

/**
 * A new file (0600) that has its name only when it is whole. Until then the rows are in `<file>.partial`, and
 * `<file>.export-state` says how far.
 *
 * For each page: 1. Its rows are written and fsynced. Stop here: resuming cuts them off and reads them again. 2. The state
 * names their end and the cursor behind them. Stop here: resuming goes on behind them.
 *
 * At the end: 1. The state says that all is there. Stop here: resuming reads nothing, and goes on with 2. 2. The file has
 * its second name, `<file>`, which replaces nothing. Stop here: resuming takes the first one away. 3. `<file>.partial` is
 * gone. Stop here: resuming sees that `<file>` is what the state speaks of. 4. The state is gone.
 * @throws CliError when the file exists or cannot be made, when another process writes it, when there is nothing to resume
 */
export function exportFile(path: string, wish: ExportFileWish): ExportTarget {
  const names = { path, beside: `${path}.partial`, state: `${path}.export-state` };
  if (!wish.resume) demandPlaceFor(path);
  const lock = lockExport(path);
  try {
    const taken = wish.resume ? takenUp(names, wish.identity) : begun(names, wish.identity);
    return new FileTarget(names, taken, () => {
      lock.release();
    });
  } catch (error) {
    lock.release();
    throw error;
  }
}

interface TakenUp {
  readonly state: ExportState;
  /** Of all bytes up to the place. */
  readonly hash: Hash;
  /** Null: nothing is written any more. */
  readonly file: AppendFile | null;
}

/** What an earlier process left is thrown away; first the state, on disk: it must never speak of the new rows. */
function begun({ path, beside, state }: FileNames, identity: ExportIdentity): TakenUp {
  demandPlaceFor(path); // once more: whoever had the lock may have made it
  rmSync(state, { force: true });
  syncDirectoryOf(state);
  rmSync(beside, { force: true });
  const file = AppendFile.open({ path: beside, bytes: 0 }, '');
  const nothing = { cursor: null, bytes: 0, digest: '', count: 0 };
  return { state: { version: 1, ...identity, ...nothing }, hash: createHash('sha256'), file };
}

function takenUp({ path, beside, state }: FileNames, identity: ExportIdentity): TakenUp {
  const found = stateToResume(state, path, identity);
  if (found.cursor !== null) demandPlaceFor(path);
  const isPlaced = found.cursor === null && lstatSync(beside, { throwIfNoEntry: false }) === undefined;
  const hash = hashOf(isPlaced ? path : beside, found);
  const file = found.cursor === null ? null : AppendFile.open({ path: beside, bytes: found.bytes }, '');
  return { state: found, hash, file };
}

const PIECE_BYTES = 256 * 1024;

/** @throws CliError when the file is not ours, or does not begin with what the state says */
function hashOf(path: string, { bytes, digest }: ExportState): Hash {
  const hash = createHash('sha256');
  const found = lstatSync(path, { throwIfNoEntry: false });
  // In a directory that others may write to, a file or link of theirs would take the keys to them.
  if (found?.isFile() !== true || found.uid !== process.geteuid?.()) throw changed(path);
  const file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const piece = Buffer.alloc(PIECE_BYTES);
    for (let at = 0; at < bytes;) {
      const read = readSync(file, piece, 0, Math.min(PIECE_BYTES, bytes - at), at);
      if (read === 0) break; // shorter than it was: another digest
      hash.update(piece.subarray(0, read));
      at += read;
    }
  } finally {
    closeSync(file);
  }
  if (hash.copy().digest('hex') !== digest) throw changed(path);
  return hash;
}

function changed(path: string): CliError {
  return new CliError(
    EXIT.refused,
    `${path} is missing, not yours, or not what was written`,
    'Put it back as it was, or begin the export anew without --resume.',
  );
}

class FileTarget implements ExportTarget {
  readonly begun: ExportPlace;
  readonly isWhole: boolean;
  readonly #names: FileNames;
  readonly #hash: Hash;
  readonly #file: AppendFile | null;
  readonly #unlock: () => void;
  #state: ExportState;
  /** The state is on disk. */
  #marked: boolean;

  constructor(names: FileNames, { state, hash, file }: TakenUp, unlock: () => void) {
    this.begun = { cursor: state.cursor, count: state.count };
    this.isWhole = file === null;
    this.#names = names;
    this.#hash = hash;
    this.#file = file;
    this.#unlock = unlock;
    this.#state = state;
    this.#marked = state.digest !== '';
  }

  /** First the rows, then the state that says how far they are certain. */
  write(text: string, place: ExportPlace): Promise<void> {
    this.#file?.write(text);
    this.#hash.update(text);
    const bytes = this.#file?.settle().bytes ?? this.#state.bytes;
    this.#state = { ...this.#state, ...place, bytes, digest: this.#hash.copy().digest('hex') };
    writeStateFile(this.#names.state, this.#state);
    this.#marked = true;
    return Promise.resolve();
  }

  finish(): void {
    const { path, beside, state } = this.#names;
    place(this.#names);
    syncDirectoryOf(path);
    rmSync(beside, { force: true });
    syncDirectoryOf(path);
    rmSync(state);
    this.#file?.close();
    this.#unlock();
  }

  abandon(): boolean {
    this.#file?.close();
    if (!this.#marked) rmSync(this.#names.beside, { force: true });
    this.#unlock();
    return this.#marked;
  }
}

/** Unlike rename, link refuses a name that somebody has taken meanwhile. */
function place({ path, beside }: FileNames): void {
  const [written, there] = [beside, path].map((name) => lstatSync(name, { throwIfNoEntry: false }));
  // An earlier process came as far as this.
  if (written === undefined || (there?.ino === written.ino && there.dev === written.dev)) return;
  try {
    linkSync(beside, path);
  } catch {
    throw new CliError(
      EXIT.refused,
      `${path} exists already; the export is in ${beside}`,
      'Move the other file away, then go on with --resume.',
    );
  }
}
