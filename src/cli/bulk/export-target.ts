import { harmless } from '../terminal.ts';

/** A place in an export: behind so many rows, at a cursor of the list; null: at its beginning, or behind its end. */
export interface ExportPlace {
  readonly cursor: string | null;
  readonly count: number;
}

/** Where an export goes. */
export interface ExportTarget {
  /** Where it begins. */
  readonly begun: ExportPlace;
  /** An earlier process has written all of it; only `finish` is left. */
  readonly isWhole: boolean;
  /** Writes a page, and keeps the place behind it. */
  write(text: string, place: ExportPlace): Promise<void>;
  /** After this the export is there, whole. */
  finish(): void;
  /** Ends it before it is whole. @returns whether it can be resumed; else nothing is left of it */
  abandon(): boolean;
}

/** Standard output; waits for whoever reads it. What could move a terminal's cursor is shown, not sent. */
export function standardOutput(): ExportTarget {
  return {
    begun: { cursor: null, count: 0 },
    isWhole: false,
    write: async (text) => {
      const shown = process.stdout.isTTY ? text.split('\n').map(harmless).join('\n') : text;
      if (process.stdout.write(shown)) return;
      await new Promise<void>((resolve) => process.stdout.once('drain', resolve));
    },
    finish: () => undefined,
    abandon: () => false,
  };
}
