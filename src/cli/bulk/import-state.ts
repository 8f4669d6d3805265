import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import { CliError, EXIT } from '../exit-code.ts';

const place = z.strictObject({ path: z.string(), bytes: z.int().min(0) });
const count = z.int().min(0);

const importState = z.strictObject({
  version: z.literal(1),
  /** What is imported, how, and to where; all must be the same to go on. */
  input: z.string(),
  settings: z.string(),
  target: z.string(),
  run: z.string(),
  /** The batch that comes next; of all before it is known what became of them. */
  batch: count,
  /** Numbers of rows of that batch that are left out. */
  leftOut: z.array(count),
  /** When that batch was first sent, if nothing is known of its answer; ISO 8601. */
  sentAt: z.iso.datetime().nullable(),
  rows: count,
  created: count,
  repeated: count,
  refused: count,
  keys: place.nullable(),
  errors: place.nullable(),
  finished: z.boolean(),
});

/** How far an import is. Holds no key and nothing of a row. */
export type ImportState = z.infer<typeof importState>;

const STATE_BYTES = 1024 * 1024;

/** Reads the state of an import; undefined when there is none. @throws CliError when it cannot be understood */
export function readState(path: string): ImportState | undefined {
  const text = textOf(path);
  if (text === undefined) return undefined;
  const state = importState.safeParse(jsonOf(text));
  if (state.success) return state.data;
  throw new CliError(EXIT.usage, `${path} is not the state of an import`, 'Name another file with --state.');
}

function textOf(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8');
    return text.length > STATE_BYTES ? '' : text;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // said by the caller: it is not a state
  }
}

/**
 * Writes the state so that after a kill or a power cut the old or the new one is there: beside it, fsync, rename, fsync of
 * the directory. 0600.
 */
export function writeState(path: string, state: ImportState): void {
  const beside = `${path}.new`;
  rmSync(beside, { force: true });
  const file = openSync(beside, 'wx', 0o600);
  try {
    writeFileSync(file, `${JSON.stringify(state)}\n`);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(beside, path);
  syncDirectoryOf(path);
}

/** Makes a name in a directory as durable as the file behind it. */
export function syncDirectoryOf(path: string): void {
  const directory = openSync(dirname(path), 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}
