import { extname } from 'node:path';
import { stringify } from 'csv-stringify/sync';
import { systemClock } from '../../lib/clock.ts';
import { CliError, EXIT } from '../exit-code.ts';
import type { ActionContext } from '../resource.ts';
import { counted } from '../page.ts';
import { progressBar } from '../terminal.ts';
import { escapedCell } from './csv-cell.ts';
import { exportFile, standardOutput } from './export-file.ts';

/** Options that every export has. */
export interface ExportOptions {
  readonly format?: string;
  readonly output?: string;
}

/** A resource as an export writes it; members that are undefined are left out. */
export type ExportRow = Readonly<Record<string, unknown>>;

/** What is exported. */
export interface ExportSource {
  /** `licences`, a plural. */
  readonly what: string;
  /** Columns of CSV, in order. */
  readonly columns: readonly string[];
  readonly pages: AsyncIterable<readonly ExportRow[]>;
}

type Format = 'csv' | 'jsonl';

/**
 * Writes everything of a source, a page at a time, to a new file or to standard output.
 * @throws CliError when the file cannot be made; what reading throws: then there is no file
 */
export async function exportRows(
  { out }: ActionContext,
  options: ExportOptions,
  source: ExportSource,
): Promise<void> {
  const { output } = options;
  const format = formatOf(options);
  const target = output === undefined ? standardOutput() : exportFile(output);
  const progress = progressBar(`exporting ${source.what}`, () => systemClock.monotonic());
  let count = 0;
  try {
    if (format === 'csv') await target.write(stringify([[...source.columns]]));
    for await (const rows of source.pages) {
      await target.write(textOf(rows, format, source.columns));
      count += rows.length;
      progress.at(count, 0);
    }
    target.finish();
  } catch (error) {
    target.abandon();
    throw error;
  } finally {
    progress.end();
  }
  if (output === undefined) return;
  out.result(
    { data: { count, file: output } },
    () => `${output}: ${counted(count, source.what.slice(0, -1))}`,
  );
}

/** Endings of names that promise something else than rows of text. */
const FOREIGN: ReadonlySet<string> = new Set(['.json', '.xlsx', '.xls', '.ods']);

function formatOf({ format, output }: ExportOptions): Format {
  if (format === 'csv' || format === 'jsonl') return format;
  if (format !== undefined) throw new CliError(EXIT.usage, `--format ${format}: there are csv and jsonl`);
  const extension = extname(output ?? '').toLowerCase();
  if (['.jsonl', '.ndjson'].includes(extension)) return 'jsonl';
  if (!FOREIGN.has(extension)) return 'csv';
  const what = `--output ${output ?? ''}: what is written is CSV or JSONL, and no ${extension.slice(1)} file`;
  throw new CliError(EXIT.usage, what, 'Name a .csv or .jsonl file, or say which one it is with --format.');
}

function textOf(rows: readonly ExportRow[], format: Format, columns: readonly string[]): string {
  if (format === 'jsonl') return rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  return stringify(rows.map((row) => columns.map((column) => cellOf(row[column]))));
}

function cellOf(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return escapedCell(typeof value === 'string' ? value : JSON.stringify(value));
}
