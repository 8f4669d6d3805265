import { createHash } from 'node:crypto';
import { extname } from 'node:path';
import { CliError, EXIT } from '../exit-code.ts';
import { licenseColumn } from './license-columns.ts';
import type { ItemReading } from './license-item.ts';
import type { Reading } from './rows.ts';

/** The options of `license import`, as commander gives them. */
export interface ImportOptions {
  readonly product?: string;
  readonly policy?: string;
  readonly format?: string;
  readonly delimiter?: string;
  readonly map?: readonly string[];
  readonly escaped?: boolean;
  readonly allowWeak?: boolean;
  readonly dryRun?: boolean;
  readonly resume?: boolean;
  readonly skipErrors?: boolean;
  readonly errors?: string;
  readonly keysOut?: string;
  readonly state?: string;
  readonly run?: string;
  readonly pending?: string;
}

/** The command line, understood. */
export interface Wish {
  readonly path: string;
  readonly options: ImportOptions;
  readonly reading: Reading;
  readonly statePath: string;
  readonly pending: 'created' | 'missing' | undefined;
}

/** Understands a command line. @throws CliError when options contradict each other, or are not known */
export function wishOf(path: string, options: ImportOptions): Wish {
  if (path === '-' && options.resume === true) {
    throw new CliError(
      EXIT.usage,
      'what came from standard input cannot be resumed',
      'Save it to a file and import that.',
    );
  }
  const { pending, delimiter } = options;
  if (pending !== undefined && pending !== 'created' && pending !== 'missing') {
    throw new CliError(EXIT.usage, `--pending ${pending}: there are created and missing`);
  }
  const sign = delimiter === 'tab' ? '\t' : (delimiter ?? null);
  if (sign !== null && sign.length !== 1)
    throw new CliError(EXIT.usage, '--delimiter: one character, or tab');
  const reading = {
    format: formatOf(path, options.format),
    delimiter: sign,
    map: mapOf(options.map ?? []),
    escaped: options.escaped ?? false,
  };
  return { path, options, reading, statePath: options.state ?? `${path}.import-state`, pending };
}

/** Files that are no rows of text, by the ending of their name. */
const FOREIGN: Readonly<Record<string, string>> = {
  '.json': 'rows of JSON are one object a line (JSONL)',
  '.xlsx': 'a workbook is not read; save it as "CSV UTF-8"',
  '.xls': 'a workbook is not read; save it as "CSV UTF-8"',
  '.ods': 'a workbook is not read; save it as CSV',
};

function formatOf(path: string, asked: string | undefined): Reading['format'] {
  if (asked === 'csv' || asked === 'jsonl') return asked;
  if (asked !== undefined) throw new CliError(EXIT.usage, `--format ${asked}: there are csv and jsonl`);
  const extension = extname(path).toLowerCase();
  if (FOREIGN[extension] !== undefined)
    throw new CliError(
      EXIT.usage,
      `${path}: ${FOREIGN[extension]}`,
      'Say what it is with --format csv or --format jsonl.',
    );
  return ['.jsonl', '.ndjson'].includes(extension) ? 'jsonl' : 'csv';
}

function mapOf(texts: readonly string[]): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (const text of texts) {
    const at = text.lastIndexOf('=');
    const [theirs, ours] = [text.slice(0, Math.max(0, at)), text.slice(at + 1)];
    if (theirs === '') throw new CliError(EXIT.usage, `--map ${text}: write yours=ours`);
    if (ours !== '' && licenseColumn(ours) === undefined) {
      throw new CliError(
        EXIT.usage,
        `--map ${text}: there is no column ${ours}`,
        'mintmark license import --help lists them.',
      );
    }
    map.set(theirs, ours);
  }
  return map;
}

/**
 * A digest of everything that decides what a row becomes. Which rows are refused is not among it: whoever resumes may be more
 * generous than before.
 */
export function settingsDigest({ reading }: Wish, { defaults }: ItemReading): string {
  const { format, delimiter, map, escaped } = reading;
  const parts = [format, delimiter, [...map], escaped, defaults];
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex');
}
