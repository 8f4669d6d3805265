import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Fault } from '../faults.ts';
import { EXPORT_FILES } from './export-format.ts';
import { CHUNK_BYTES, LineFile } from './line-file.ts';
import { HASH_BYTES } from './merkle.ts';
import { type VerifierKey, parseVerifierKey } from './note.ts';
import { TILE_WIDTH, tilePath } from './tiles.ts';
import { type LedgerReport, LedgerVerification } from './verify.ts';

/** How to verify an export. */
export interface VerifyExportOptions {
  /** The first ledger key (`name+id+base64`), known from elsewhere; left out: the one the export claims. */
  readonly firstKey?: string;
  /** Called now and then with the bytes read and to be read. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What was found, and whether the key it rests on was known beforehand. */
export interface ExportReport extends LedgerReport {
  readonly pinned: boolean;
}

/**
 * Verifies an exported ledger: no daemon, no database, no network; memory does not grow with the ledger. What is wrong
 * with the log is in the report.
 * @throws Fault LEDGER_INVALID when the directory is not an export, or `firstKey` not a key
 */
export async function verifyExport(
  directory: string,
  options: VerifyExportOptions = {},
): Promise<ExportReport> {
  const listedKeys = readKeys(directory);
  const verification = new LedgerVerification({
    firstKey: firstKeyOf(listedKeys, options.firstKey),
    checkpoints: checkpointsOf(join(directory, EXPORT_FILES.checkpoints)),
    recordedLeaf: recordedLeaves(directory),
    listedKeys,
  });
  using entries = new LineFile(join(directory, EXPORT_FILES.entries));
  let reported = 0;
  for (const line of entries.lines()) {
    verification.add(line);
    if (entries.done - reported < CHUNK_BYTES) continue;
    reported = entries.done;
    options.onProgress?.(entries.done, entries.total);
    await nextTurn();
  }
  options.onProgress?.(entries.total, entries.total);
  return { ...verification.finish(), pinned: options.firstKey !== undefined };
}

function readKeys(directory: string): string[] {
  using file = new LineFile(join(directory, EXPORT_FILES.verifierKeys));
  return Array.from(file.lines(), (line) => line.toString('utf8'));
}

function firstKeyOf(listed: readonly string[], pinned: string | undefined): VerifierKey {
  const first = pinned ?? listed[0];
  if (first === undefined) throw new Fault('LEDGER_INVALID', `${EXPORT_FILES.verifierKeys} names no key`);
  return parseVerifierKey(first);
}

/** Notes one after the other: each is a text, an empty line, signatures, an empty line. */
function* checkpointsOf(path: string): Generator<string> {
  using file = new LineFile(path);
  let lines: string[] = [];
  let emptyLines = 0;
  for (const line of file.lines()) {
    if (line.length === 0) emptyLines++;
    if (emptyLines < 2) lines.push(line.toString('utf8'));
    else {
      yield `${lines.join('\n')}\n`;
      [lines, emptyLines] = [[], 0];
    }
  }
  if (lines.length > 0) yield `${lines.join('\n')}\n`;
}

/** Reads leaf hashes from the tiles of the export, where there are any. */
function recordedLeaves(directory: string): (index: number) => Buffer | undefined {
  let number = -1;
  let tile: Buffer | undefined;
  return (index) => {
    const wanted = Math.floor(index / TILE_WIDTH);
    if (wanted !== number) {
      number = wanted;
      tile = readTileFile(directory, wanted);
    }
    const at = (index % TILE_WIDTH) * HASH_BYTES;
    const hash = tile?.subarray(at, at + HASH_BYTES);
    return hash?.length === HASH_BYTES ? hash : undefined;
  };
}

/** A tile of leaves, full or the last one; an export without it can still be verified. */
function readTileFile(directory: string, number: number): Buffer | undefined {
  const full = join(directory, tilePath({ level: 0, number }));
  return readIfThere(() => readFileSync(full)) ?? readIfThere(() => readPartial(`${full}.p`));
}

function readPartial(directory: string): Buffer | undefined {
  const [width] = readdirSync(directory);
  return width === undefined ? undefined : readFileSync(join(directory, width));
}

function readIfThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR'))
      return undefined;
    throw error;
  }
}
