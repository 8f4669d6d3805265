import { linkSync, rmSync, unlinkSync } from 'node:fs';
import { CliError, EXIT } from '../exit-code.ts';
import { demandPlaceFor } from '../secret-file.ts';
import { harmless } from '../terminal.ts';
import { AppendFile } from './append-file.ts';
import { syncDirectoryOf } from './import-state.ts';

/** Where an export goes. */
export interface ExportTarget {
  write(text: string): Promise<void>;
  /** After this the export is there, whole. */
  finish(): void;
  /** Leaves nothing half-written behind. */
  abandon(): void;
}

/**
 * A new file (0600) that has its name only when it is whole: written beside as `<file>.partial`, fsynced, renamed without
 * replacing anything. One that a kill left half-written is written anew.
 * @throws CliError when the file exists or cannot be made
 */
export function exportFile(path: string): ExportTarget {
  demandPlaceFor(path);
  const beside = `${path}.partial`;
  rmSync(beside, { force: true });
  const file = AppendFile.open({ path: beside, bytes: 0 }, '');
  return {
    write: (text) => {
      file.write(text);
      return Promise.resolve();
    },
    finish: () => {
      file.settle();
      file.close();
      place(beside, path);
    },
    abandon: () => {
      file.close();
      rmSync(beside, { force: true });
    },
  };
}

/** Unlike rename, link refuses a name that somebody has taken meanwhile. */
function place(beside: string, path: string): void {
  try {
    linkSync(beside, path);
  } catch {
    throw new CliError(
      EXIT.refused,
      `${path} exists already; the export is in ${beside}`,
      'Move one of them.',
    );
  }
  unlinkSync(beside);
  syncDirectoryOf(path);
}

/** Standard output; waits for whoever reads it. What could move a terminal's cursor is shown, not sent. */
export function standardOutput(): ExportTarget {
  return {
    write: async (text) => {
      const shown = process.stdout.isTTY ? text.split('\n').map(harmless).join('\n') : text;
      if (process.stdout.write(shown)) return;
      await new Promise<void>((resolve) => process.stdout.once('drain', resolve));
    },
    finish: () => undefined,
    abandon: () => undefined,
  };
}
