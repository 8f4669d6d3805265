import { accessSync, closeSync, constants, existsSync, openSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import { CliError, EXIT } from './exit-code.ts';

/** How a command may be told where a secret goes. */
export interface SecretPlace {
  readonly secretOut?: string;
  readonly printSecret?: boolean;
}

/** Adds the options that say where a secret goes. @param what e.g. `the API key` */
export function withSecret(command: Command, what: string): Command {
  return command
    .option('--secret-out <file>', `write ${what} to this new file (0600) instead of showing it`)
    .option('--print-secret', `print ${what} even though standard output is no terminal`);
}

/**
 * The one rule about secrets that a command shows in full: onto a terminal, into a new file of their owner's alone, or
 * into a pipe where that was asked for by name. A pipe may end in a journal, and a journal is read by many. Checked before
 * anything is made.
 * @throws CliError
 */
export function refuseLeak(what: string, { secretOut, printSecret }: SecretPlace): void {
  if (secretOut !== undefined) demandPlaceFor(secretOut);
  if (secretOut !== undefined || printSecret === true || process.stdout.isTTY) return;
  throw new CliError(
    EXIT.usage,
    `this shows ${what} in full, and standard output is no terminal`,
    'Name a new file for it with --secret-out <file>, or say --print-secret where the pipe may have it.',
  );
}

/**
 * Refuses a place that cannot take a new file, before anything is made: a secret that is shown once would be lost.
 * @throws CliError when the file exists, or its directory is missing or not writable
 */
export function demandPlaceFor(path: string): void {
  if (existsSync(path)) throw occupied(path);
  try {
    accessSync(dirname(path), constants.W_OK | constants.X_OK);
  } catch {
    throw new CliError(
      EXIT.usage,
      `${path} cannot be made: ${dirname(path)} is missing or you may not write to it`,
      'Name a file in a directory that you may write to.',
    );
  }
}

/**
 * Writes a secret to a file that did not exist, readable by its owner alone.
 * @throws CliError when the file exists: a secret never replaces another.
 */
export function writeSecretFile(path: string, secret: string): void {
  writeNewFile(path, `${secret}\n`);
}

/**
 * Writes a file that did not exist.
 * @param mode who may read it; its owner alone, unless it says otherwise
 * @throws CliError when the file exists: nothing is written over
 */
export function writeNewFile(path: string, text: string, mode = 0o600): void {
  let descriptor: number;
  try {
    descriptor = openSync(path, 'wx', mode);
  } catch {
    throw occupied(path);
  }
  try {
    writeFileSync(descriptor, text);
  } finally {
    closeSync(descriptor);
  }
}

function occupied(path: string): CliError {
  return new CliError(
    EXIT.usage,
    `${path} exists already or cannot be made`,
    'Name a file that does not exist yet.',
  );
}
