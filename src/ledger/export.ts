import { type FileHandle, mkdir, open, readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Fault } from '../faults.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import type { Reader } from '../storage/tx.ts';
import { EXPORT_FILES, exportReadme } from './export-format.ts';
import { KEY_CHANGE_PREFIX } from './key-chain.ts';
import {
  type StoredEntry,
  ledgerPublicKeys,
  ledgerSize,
  readCheckpoints,
  readEntries,
  readTile,
  realmName,
} from './ledger-store.ts';
import { formatVerifierKey } from './note.ts';
import { ledgerVerifierKey } from './signer.ts';
import { TILE_WIDTH, tilePath, tilesOf } from './tiles.ts';

/** What an export reads from. */
export interface ExportDeps {
  /** A read-only connection, or the writer's; rows once written never change, so the export is of one moment. */
  readonly reader: Reader;
  /** `mintmark/<appliance id>`. */
  readonly origin: string;
}

/** What to export. */
export interface ExportRequest {
  /** Made when it is not there; must be empty. */
  readonly directory: string;
  /** The realm whose entries are shown in full; left out: all of them. */
  readonly realm?: RealmId;
  /** Called after each slice with entries written and entries in all. */
  readonly onProgress?: (done: number, total: number) => void;
}

/** What was exported. */
export interface ExportSummary {
  readonly size: number;
  /** Entries shown in full. */
  readonly entries: number;
  readonly checkpoints: number;
  /** Size of the last checkpoint; entries after it are exported and not signed yet. */
  readonly signedSize: number;
}

/** Rows read at once: bounds memory, and the time between two turns of the event loop. */
const SLICE = 1000;
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
const LINE_FEED = Buffer.from('\n');

/**
 * Exports the ledger into a directory that `mintmark audit verify` checks. Streams: memory does not grow with the ledger.
 * When this resolves everything is on disk.
 * @throws Fault FILE_EXISTS when the directory is not empty
 */
export async function exportLedger(deps: ExportDeps, request: ExportRequest): Promise<ExportSummary> {
  const { directory, realm } = request;
  await emptyDirectory(directory);
  // The size is fixed here: what is appended meanwhile is not of this export.
  const size = ledgerSize(deps.reader);
  const entries = await writeEntries(deps, { ...request, size });
  const checkpoints = await writeCheckpoints(deps, { directory, size });
  await writeTiles(deps, { directory, size });
  const keys = ledgerPublicKeys(deps.reader).map((spki) =>
    formatVerifierKey(ledgerVerifierKey(deps.origin, spki)),
  );
  await writeWhole(join(directory, EXPORT_FILES.verifierKeys), Buffer.from(`${keys.join('\n')}\n`));
  const name = realm === undefined ? undefined : realmName(deps.reader, realm);
  const readme = exportReadme({ origin: deps.origin, size, realm: name });
  await writeWhole(join(directory, EXPORT_FILES.readme), Buffer.from(readme));
  await syncDirectory(directory);
  return { size, entries, ...checkpoints };
}

async function emptyDirectory(directory: string): Promise<void> {
  await makeDirectory(directory);
  const found = await readdir(directory);
  if (found.length > 0) throw new Fault('FILE_EXISTS', `the directory ${directory} is not empty`);
}

/** Not with its parents: a typing mistake is to be refused, and below /proc the runtime would try for ever. */
async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { mode: DIRECTORY_MODE });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'EEXIST') return;
    const message = `${directory} cannot be made (${code}); name a directory whose parent is there`;
    throw new Fault('VALIDATION_FAILED', message, {
      cause: error,
      errors: [{ path: 'directory', code: 'PATH', message }],
    });
  }
}

async function writeEntries(
  { reader }: ExportDeps,
  request: ExportRequest & { readonly size: number },
): Promise<number> {
  const { directory, size, realm, onProgress } = request;
  await using file = await create(join(directory, EXPORT_FILES.entries));
  const inFull = (entry: StoredEntry): boolean =>
    realm === undefined || entry.realm === realm || isKeyChange(entry);
  let shown = 0;
  for (let from = 0; from < size; from += SLICE) {
    const slice = readEntries(reader, { from, to: Math.min(from + SLICE, size) });
    await file.writeFile(
      Buffer.concat(slice.flatMap((entry) => [inFull(entry) ? entry.bytes : bare(entry), LINE_FEED])),
    );
    shown += slice.filter(inFull).length;
    onProgress?.(from + slice.length, size);
  }
  await file.sync();
  return shown;
}

const bare = ({ hash }: StoredEntry): Buffer => Buffer.from(`"${hash.toString('base64')}"`);

/** Changes of the ledger key are shown to everybody: without them nobody could check the signatures after one. */
const isKeyChange = ({ bytes }: StoredEntry): boolean =>
  bytes.subarray(0, KEY_CHANGE_PREFIX.length).equals(KEY_CHANGE_PREFIX);

async function writeCheckpoints(
  { reader }: ExportDeps,
  { directory, size }: { readonly directory: string; readonly size: number },
): Promise<{ checkpoints: number; signedSize: number }> {
  await using file = await create(join(directory, EXPORT_FILES.checkpoints));
  let [checkpoints, signedSize] = [0, 0];
  for (;;) {
    const slice = readCheckpoints(reader, { from: signedSize + 1, to: size, limit: SLICE });
    const last = slice.at(-1);
    if (last === undefined) break;
    await file.writeFile(slice.map(({ note }) => `${note}\n`).join(''));
    [checkpoints, signedSize] = [checkpoints + slice.length, last.size];
  }
  await file.sync();
  return { checkpoints, signedSize };
}

async function writeTiles(
  { reader }: ExportDeps,
  { directory, size }: { readonly directory: string; readonly size: number },
): Promise<void> {
  const made = new Set<string>();
  for (const { level, number, width } of tilesOf(size)) {
    const path = join(directory, tilePath({ level, number }, width));
    const parent = dirname(path);
    if (!made.has(parent)) await mkdir(parent, { recursive: true, mode: DIRECTORY_MODE });
    made.add(parent);
    // Tiles are copies of what the entries say: losing one to a power cut makes an export less telling, never wrong.
    await using file = await create(path);
    await file.writeFile(readTile(reader, { level, number }, Math.min(width, TILE_WIDTH)));
  }
}

const create = (path: string): Promise<FileHandle> => open(path, 'wx', FILE_MODE);

async function writeWhole(path: string, content: Buffer): Promise<void> {
  await using file = await create(path);
  await file.writeFile(content);
  await file.sync();
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r');
  await directory.sync();
}
