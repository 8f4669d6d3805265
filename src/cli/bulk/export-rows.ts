import { extname } from 'node:path';
import { stringify } from 'csv-stringify/sync';
import { systemClock } from '../../lib/clock.ts';
import { CliError, EXIT } from '../exit-code.ts';
import type { ActionContext } from '../resource.ts';
import { counted } from '../page.ts';
import { type Progress, progressBar } from '../terminal.ts';
import { escapedCell } from './csv-cell.ts';
import { exportFile } from './export-file.ts';
import { digestOf } from './export-state.ts';
import { type ExportTarget, standardOutput } from './export-target.ts';
import { stopSignal } from './stop-signal.ts';

/** Options that every export has. */
export interface ExportOptions {
  readonly format?: string;
  readonly output?: string;
  /** Go on with an interrupted export into `output`. */
  readonly resume?: boolean;
}

/** A resource as an export writes it; members that are undefined are left out. */
export type ExportRow = Readonly<Record<string, unknown>>;

/** Rows of a page, and the cursor behind it; null: it is the last one. */
export interface ExportPage {
  readonly rows: readonly ExportRow[];
  readonly next: string | null;
}

/** What is exported. */
export interface ExportSource {
  /** `licences`, a plural. */
  readonly what: string;
  /** Columns of CSV, in order. */
  readonly columns: readonly string[];
  readonly filters: Readonly<Record<string, string>>;
  /** Keys and persons in clear. */
  readonly reveal: boolean;
  /** Where it comes from, as `targetOf` says it. */
  readonly target: () => Promise<string>;
  /** The pages behind a cursor (null: all), in an order that nothing changes; at least one. */
  readonly pages: (cursor: string | null) => AsyncIterable<ExportPage>;
}

type Format = 'csv' | 'jsonl';

/**
 * Writes everything of a source, a page at a time, to a new file or to standard output.
 * @throws CliError when the file cannot be made, or cannot be gone on with; what reading throws: then there is no file, and
 *   what was read can be resumed
 */
export async function exportRows(
  { out }: ActionContext,
  options: ExportOptions,
  source: ExportSource,
): Promise<void> {
  const { output } = options;
  const format = formatOf(options);
  const target = await targetFor(options, format, source);
  const stop = output === undefined ? undefined : stopSignal(out, 'page');
  const progress = progressBar(`exporting ${source.what}`, () => systemClock.monotonic());
  let count: number;
  try {
    count = await copied({ source, format, target, progress, isStopping: () => stop?.asked() === true });
    target.finish();
  } catch (error) {
    progress.end();
    if (target.abandon()) out.note(`${output ?? ''} is not there yet; go on with --resume`);
    throw error;
  } finally {
    progress.end();
    stop?.end();
  }
  if (output === undefined) return;
  const { count: before } = target.begun;
  out.result(
    { data: { count, file: output, ...(before > 0 && { resumedBehindRow: before }) } },
    () => `${output}: ${counted(count, source.what.slice(0, -1))}`,
  );
}

async function targetFor(
  { output, resume = false }: ExportOptions,
  format: Format,
  source: ExportSource,
): Promise<ExportTarget> {
  if (output === undefined) return standardOutput();
  const { what, columns, filters, reveal } = source;
  const identity = {
    ...{ what, format, shown: reveal ? 'in clear' : 'masked' },
    ...{ filters: digestOf(filters), columns: digestOf(columns), target: await source.target() },
  };
  return exportFile(output, { identity, resume });
}

interface Copying {
  readonly source: ExportSource;
  readonly format: Format;
  readonly target: ExportTarget;
  readonly progress: Progress;
  readonly isStopping: () => boolean;
}

/** @returns rows in all, with those that were there already */
async function copied({ source, format, target, progress, isStopping }: Copying): Promise<number> {
  let { count } = target.begun;
  if (target.isWhole) return count;
  const { columns, what } = source;
  let header = format === 'csv' && target.begun.cursor === null ? stringify([[...columns]]) : '';
  for await (const { rows, next } of source.pages(target.begun.cursor)) {
    count += rows.length;
    await target.write(header + textOf(rows, format, columns), { cursor: next, count });
    header = '';
    progress.at(count, 0);
    if (next !== null && isStopping())
      throw new CliError(EXIT.refused, `stopped behind ${counted(count, what.slice(0, -1))}`);
  }
  return count;
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
