import { Fault } from '../../faults.ts';
import { parseStrictJson } from '../../lib/strict-json.ts';
import { CliError, EXIT } from '../exit-code.ts';
import { unescapedCell } from './csv-cell.ts';
import { csvRecords } from './csv-records.ts';
import { textLines } from './json-lines.ts';
import { EXPORT_COLUMNS, type LicenseColumn, licenseColumn } from './license-columns.ts';

/** What is wrong with a row, in words that hold nothing of it. */
export interface RowProblem {
  /** As the file names the column; empty for the row as a whole. */
  readonly column: string;
  readonly code: string;
  readonly message: string;
}

/** A value of a row and where it comes from. Never null, and never an empty text of a CSV cell. */
export interface Cell {
  readonly column: LicenseColumn;
  /** As the file names the column. */
  readonly label: string;
  readonly value: unknown;
}

/** One licence as a file describes it. */
export interface Row {
  /** From 1; a header is not counted. */
  readonly number: number;
  readonly line: number;
  readonly cells: readonly Cell[];
  readonly problems: readonly RowProblem[];
}

/** How a file is to be read. */
export interface Reading {
  readonly format: 'csv' | 'jsonl';
  /** Null: found out from the first line. */
  readonly delimiter: string | null;
  /** Column of the file → name of ours; empty: passed over. */
  readonly map: ReadonlyMap<string, string>;
  /** Cells are as an export writes them, whatever the header says. */
  readonly escaped: boolean;
}

/**
 * The rows of a file, one after the other.
 * @throws CliError when the file as a whole cannot be read: not CSV, columns that are not known
 */
export function readRows(texts: AsyncIterable<string>, reading: Reading): AsyncGenerator<Row> {
  return reading.format === 'csv' ? csvRows(texts, reading) : jsonRows(texts, reading);
}

interface Labelled {
  readonly column: LicenseColumn;
  readonly label: string;
}

const IGNORED: LicenseColumn = { name: '', field: '', kind: 'ignored' };
const COLUMNS_LIMIT = 256;

async function* csvRows(texts: AsyncIterable<string>, reading: Reading): AsyncGenerator<Row> {
  let header: readonly Labelled[] | null = null;
  let escaped = reading.escaped;
  let number = 0;
  for await (const { cells, line } of csvRecords(texts, reading.delimiter)) {
    if (header === null) {
      header = headerOf(cells, reading.map);
      escaped ||= cells.join() === EXPORT_COLUMNS.join();
      continue;
    }
    number += 1;
    yield csvRow({ number, line, header }, escaped ? cells.map(unescapedCell) : cells);
  }
  if (header === null)
    throw new CliError(EXIT.usage, 'the file is empty', 'Begin it with a line of column names.');
}

function csvRow(
  at: { readonly number: number; readonly line: number; readonly header: readonly Labelled[] },
  cells: readonly string[],
): Row {
  const { number, line, header } = at;
  if (cells.length !== header.length) {
    const message = `the row has ${String(cells.length)} cells, the header ${String(header.length)}`;
    return { number, line, cells: [], problems: [{ column: '', code: 'COLUMNS', message }] };
  }
  const given = header.flatMap((one, i) => {
    const value = cells[i] ?? '';
    return value === '' || one.column.kind === 'ignored' ? [] : [{ ...one, value }];
  });
  return { number, line, cells: given, problems: [] };
}

/** @throws CliError about columns by their position: a file without a header begins with a row, and that may hold a key */
function headerOf(cells: readonly string[], map: ReadonlyMap<string, string>): Labelled[] {
  if (cells.length > COLUMNS_LIMIT) throw new CliError(EXIT.usage, 'the file has more than 256 columns');
  const labels = cells.map((cell) => cell.trim());
  for (const name of map.keys()) {
    if (!labels.includes(name))
      throw new CliError(EXIT.usage, `--map ${name}=…: the file has no such column`);
  }
  const columns = labels.map((label) => columnOf(label, map));
  const unknown = columns.flatMap((column, i) => (column === undefined ? [String(i + 1)] : []));
  if (unknown.length > 0) {
    throw new CliError(
      EXIT.usage,
      `the first line names columns that are not known: number ${unknown.join(', ')}`,
      'Begin the file with column names; say what a column of yours is with --map yours=ours, or --map yours= to pass it over.',
    );
  }
  const header = columns.map((column, i) => ({ column: column ?? IGNORED, label: labels[i] ?? '' }));
  refuseTwice(header);
  return header;
}

function columnOf(label: string, map: ReadonlyMap<string, string>): LicenseColumn | undefined {
  const mapped = map.get(label);
  return mapped === '' ? IGNORED : licenseColumn(mapped ?? label);
}

function refuseTwice(header: readonly Labelled[]): void {
  const seen = new Map<string, string>();
  for (const { column, label } of header) {
    if (column.kind === 'ignored') continue;
    const name = `${column.kind} ${column.field}`;
    const before = seen.get(name);
    if (before !== undefined) {
      throw new CliError(
        EXIT.usage,
        `the columns ${before} and ${label} are both ${column.name}`,
        'Leave one out with --map.',
      );
    }
    seen.set(name, label);
  }
}

async function* jsonRows(texts: AsyncIterable<string>, reading: Reading): AsyncGenerator<Row> {
  let number = 0;
  for await (const { text, line } of textLines(texts)) {
    number += 1;
    yield { number, line, ...jsonCells(text, reading) };
  }
}

const LINE_BYTES = 1024 * 1024;

function jsonCells(text: string, reading: Reading): Pick<Row, 'cells' | 'problems'> {
  const value = parsed(text);
  if (value instanceof Fault)
    return { cells: [], problems: [{ column: '', code: 'JSON', message: value.message }] };
  const cells: Cell[] = [];
  const problems: RowProblem[] = [];
  for (const [i, [label, member]] of Object.entries(value).entries()) {
    const column = columnOf(label, reading.map);
    if (column === undefined) problems.push(unknownMember(i + 1));
    else if (column.kind !== 'ignored' && (member !== null || column.kind === 'time'))
      cells.push({ column, label, value: member });
  }
  return { cells, problems };
}

function parsed(text: string): object | Fault {
  try {
    const value = parseStrictJson(text.trim(), { maxBytes: LINE_BYTES });
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
    return new Fault('MALFORMED', 'the line is not a JSON object');
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
}

const unknownMember = (position: number): RowProblem => ({
  column: '',
  code: 'UNKNOWN_COLUMN',
  message: `member number ${String(position)} of the object is not known; say what it is with --map`,
});
