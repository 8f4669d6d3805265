import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { z } from 'zod';
import { CliError, EXIT } from '../exit-code.ts';

/** What a state file holds, and what to say when it holds something else. */
export interface StateKind<T> {
  readonly schema: z.ZodType<T>;
  /** `import`. */
  readonly what: string;
  readonly remedy: string;
}

const STATE_BYTES = 1024 * 1024;

/** Reads a state; undefined when there is none. @throws CliError when it cannot be understood */
export function readStateFile<T>(path: string, kind: StateKind<T>): T | undefined {
  const text = textOf(path);
  if (text === undefined) return undefined;
  const state = kind.schema.safeParse(jsonOf(text));
  if (state.success) return state.data;
  throw new CliError(EXIT.usage, `${path} is not the state of an ${kind.what}`, kind.remedy);
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
 * Writes a state so that after a kill or a power cut the old or the new one is there: beside it, fsync, rename, fsync of
 * the directory. 0600.
 */
export function writeStateFile(path: string, state: object): void {
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
