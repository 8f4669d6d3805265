import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CsvError, type Info, parse } from 'csv-parse';
import { CliError, EXIT } from '../exit-code.ts';

/** One record of a CSV file. */
export interface CsvRecord {
  readonly cells: readonly string[];
  /** The line on which it ends, from 1. */
  readonly line: number;
}

/** More text than any row of a licence has; a quote that is never closed stops here. */
const RECORD_CHARACTERS = 256 * 1024;
/** What a header is looked for in. */
const HEAD_CHARACTERS = 64 * 1024;
/** All three in one file: parts of it may have been edited elsewhere. */
const LINE_ENDS = ['\r\n', '\n', '\r'];
const DELIMITERS = [',', ';', '\t', '|'] as const;

/**
 * Reads CSV (RFC 4180, with any line end, blank lines passed over): quoted cells may hold delimiters, quotes and line ends.
 * @param delimiter null: what the first line is divided by (comma, semicolon, tab or bar)
 * @throws CliError that names the line, never a cell
 */
export async function* csvRecords(
  texts: AsyncIterable<string>,
  delimiter: string | null,
): AsyncGenerator<CsvRecord> {
  const { head, rest } = await split(texts);
  const parser = parse({
    delimiter: delimiter ?? delimiterOf(head),
    info: true,
    max_record_size: RECORD_CHARACTERS,
    record_delimiter: LINE_ENDS,
    relax_column_count: true,
    skip_empty_lines: true,
  });
  // Whatever goes wrong on the way arrives in the loop below, too.
  const fed = pipeline(Readable.from(joined(head, rest)), parser).catch(() => undefined);
  try {
    const parsed = parser as AsyncIterable<Parsed>; // what `info` and no `columns` give; the stream has no type for it
    for await (const { record, info } of parsed) {
      yield { cells: record, line: info.lines };
    }
  } catch (error) {
    throw error instanceof CsvError ? unreadable(error) : error;
  } finally {
    parser.destroy();
    await fed;
  }
}

/** What csv-parse gives with `info: true` and without `columns`. */
interface Parsed {
  readonly record: string[];
  readonly info: Info;
}

/** The beginning of a text, at least its first line, and what follows it. */
async function split(
  texts: AsyncIterable<string>,
): Promise<{ readonly head: string; readonly rest: AsyncIterator<string> }> {
  const rest = texts[Symbol.asyncIterator]();
  let head = '';
  while (head.length < HEAD_CHARACTERS && !head.includes('\n')) {
    const next = await rest.next();
    if (next.done === true) break;
    head += next.value;
  }
  return { head, rest };
}

async function* joined(head: string, rest: AsyncIterator<string>): AsyncGenerator<string> {
  if (head !== '') yield head;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
}

/** What divides the first line, quoted text apart; a comma when nothing does. */
export function delimiterOf(text: string): string {
  const [line = ''] = text.replace(/"(?:[^"]|"")*"/g, '').split(/\r\n|\n|\r/);
  const counts = DELIMITERS.map((sign) => ({ sign, count: line.split(sign).length - 1 }));
  const most = counts.reduce((best, one) => (one.count > best.count ? one : best));
  return most.count === 0 ? ',' : most.sign;
}

const WORDS: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'a quote is not closed',
  CSV_INVALID_CLOSING_QUOTE: 'something stands behind a closing quote',
  INVALID_OPENING_QUOTE: 'a quote stands inside a cell that is not quoted',
  CSV_NON_TRIMABLE_CHAR_AFTER_CLOSING_QUOTE: 'something stands behind a closing quote',
  CSV_MAX_RECORD_SIZE: 'a row is longer than 256 KB; perhaps a quote is not closed',
};

/** The parser's own words quote the file: keys could be in them. */
function unreadable(error: CsvError): CliError {
  const line = 'lines' in error ? ` in line ${String(error['lines'])}` : '';
  const what = WORDS[error.code] ?? `it is not CSV (${error.code})`;
  return new CliError(
    EXIT.usage,
    `the file cannot be read on${line}: ${what}`,
    'Correct it there; quotes inside a quoted cell are doubled.',
  );
}
