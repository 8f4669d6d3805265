import { readFileSync, statSync, writeSync } from 'node:fs';
import { createInterface, type Interface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { Secret } from '../lib/secret.ts';
import { CliError, EXIT } from './exit-code.ts';

/** Longest secret read from a file or a pipe. */
const SECRET_BYTES = 16 * 1024;
const BAR_WIDTH = 30;
/** A bar is drawn at most this often. */
const BAR_INTERVAL_MS = 100;

/** A column of a table: its heading and how a row fills it. */
export interface Column {
  readonly title: string;
  readonly value: (row: Readonly<Record<string, unknown>>) => unknown;
}

/**
 * Makes text from elsewhere harmless for a terminal: a licence name must not be able to move the cursor, clear the
 * screen or pose as our own output.
 */
export function harmless(text: string): string {
  // eslint-disable-next-line no-control-regex -- the control characters are the point
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (character) => {
    return `\\u${(character.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;
  });
}

/**
 * Renders rows as an aligned table; an empty list says so.
 * @param room columns of the terminal it has to fit in: times lose their seconds, then the widest texts their ends, never an
 *   id; nothing is cut where no terminal is
 */
export function table(
  columns: readonly Column[],
  rows: readonly Readonly<Record<string, unknown>>[],
  room: number | undefined = process.stdout.isTTY ? process.stdout.columns : undefined,
): string {
  if (rows.length === 0) return '(none)';
  const titles = columns.map(({ title }) => title);
  const cells = fitted(
    titles,
    rows.map((row) => columns.map((column) => show(column.value(row)))),
    room ?? Number.POSITIVE_INFINITY,
  );
  const widths = columns.map((column, i) =>
    Math.max(column.title.length, ...cells.map((line) => line[i]?.length ?? 0)),
  );
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, i) => text.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  return [line(columns.map((column) => column.title)), ...cells.map(line)].join('\n');
}

const GAP = 2;
const TIME = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d):[\d.]+Z$/;
/** Ids are typed again: half of one is of no use. */
const WHOLE = /^[a-z]+_[0-9A-HJKMNP-TV-Z]{26}$/;
/** No text is cut to less. */
const LEAST = 8;

function fitted(titles: readonly string[], cells: readonly string[][], room: number): string[][] {
  const isWide = (rows: readonly string[][]): boolean => widthOf(titles, rows) > room;
  if (!isWide(cells)) return cells.map((line) => [...line]);
  const rows = cells.map((line) => line.map((text) => text.replace(TIME, '$1 $2')));
  for (;;) {
    const at = isWide(rows) ? widestToCut(titles, rows) : -1;
    if (at === -1) return rows;
    const widths = rows.map((line) => line[at]?.length ?? 0);
    const to = Math.max(...widths) - 1;
    for (const line of rows)
      if ((line[at]?.length ?? 0) > to) line[at] = `${line[at]?.slice(0, to - 1) ?? ''}…`;
  }
}

function widthOf(titles: readonly string[], rows: readonly string[][]): number {
  return titles.reduce((sum, title, i) => sum + widthAt(title, rows, i) + GAP, -GAP);
}

const widthAt = (title: string, rows: readonly string[][], at: number): number =>
  Math.max(title.length, ...rows.map((line) => line[at]?.length ?? 0));

/** -1: none may be cut any more. The first column is what a row is called by. */
function widestToCut(titles: readonly string[], rows: readonly string[][]): number {
  const widths = titles.map((title, i) => {
    const isCut = i > 0 && !rows.some((line) => WHOLE.test(line[i] ?? ''));
    const width = isCut ? widthAt(title, rows, i) : 0;
    return width > Math.max(title.length, LEAST) ? width : 0;
  });
  const most = Math.max(...widths);
  return most === 0 ? -1 : widths.indexOf(most);
}

/** Renders one resource as `name: value` lines. */
export function details(record: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(record);
  const width = Math.max(0, ...names.map((name) => name.length)) + 1;
  return names.map((name) => `${`${name}:`.padEnd(width)} ${show(record[name])}`).join('\n');
}

/** A value as a person reads it. */
export function show(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-';
  if (typeof value === 'string') return harmless(value);
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.map(show).join(', ');
  return typeof value === 'number' || typeof value === 'boolean'
    ? String(value)
    : harmless(JSON.stringify(value));
}

/** Where a command prints: data to standard output, everything else to standard error. */
export interface Output {
  readonly json: boolean;
  /** Prints a result: `data` with --json, else the text. */
  result(data: unknown, text: () => string): void;
  /** A remark for people; silent with --json. */
  note(text: string): void;
  /** A warning; always on standard error. */
  warn(text: string): void;
}

/** The process's own streams. Synchronous writes: nothing is cut off when the process ends. */
export function terminalOutput(json: boolean): Output {
  return {
    json,
    result: (data, text) => {
      print(1, json ? JSON.stringify(data, null, 2) : text());
    },
    note: (text) => {
      if (!json) print(2, text);
    },
    warn: (text) => {
      print(2, `warning: ${text}`);
    },
  };
}

function print(stream: 1 | 2, text: string): void {
  let rest = Buffer.from(`${text}\n`);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(stream, rest));
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'EAGAIN') continue;
      if (error instanceof Error && 'code' in error && error.code === 'EPIPE') return;
      throw error;
    }
  }
}

/** How a secret may be given to a command. */
export interface SecretSources {
  /** A path, or `-` for standard input. */
  readonly file: string | undefined;
  /** The value itself on the command line: for trying only, other users of the machine can read it. */
  readonly argument?: string | undefined;
  /** What to ask for when neither was given and there is a terminal. */
  readonly prompt: string;
}

/**
 * Reads a secret from a file, from standard input, from the command line with a warning, or by asking without echo.
 * @returns null when nothing was given and nobody can be asked
 * @throws CliError when the file cannot be read or is empty
 */
export async function readSecret(sources: SecretSources, out: Output): Promise<Secret | null> {
  if (sources.file !== undefined) return fromFile(sources.file);
  if (sources.argument !== undefined) {
    out.warn(
      'a secret on the command line can be read by every user of this machine; use a file or - instead',
    );
    return new Secret(sources.argument);
  }
  return process.stdin.isTTY ? ask(sources.prompt) : null;
}

function fromFile(path: string): Secret {
  const name = path === '-' ? 'standard input' : path;
  try {
    if (path !== '-' && statSync(path).size > SECRET_BYTES)
      throw new CliError(EXIT.usage, `${name} is too large`);
    const text = readFileSync(path === '-' ? 0 : path, 'utf8').trim();
    if (text === '') throw new CliError(EXIT.usage, `${name} is empty`);
    return new Secret(text);
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError(
      EXIT.usage,
      `${name} cannot be read`,
      'Name a readable file, or - for standard input.',
    );
  }
}

/** Asks a question without echoing the answer. */
async function ask(prompt: string): Promise<Secret> {
  const silent = new Writable({
    write: (_chunk, _encoding, done) => {
      done();
    },
  });
  const reader = createInterface({ input: process.stdin, output: silent, terminal: true });
  writeSync(2, `${prompt}: `);
  try {
    const answer = await Promise.race([reader.question(''), ended(reader)]);
    if (answer === null) throw new CliError(EXIT.usage, `no ${prompt} was given`);
    return new Secret(answer.trim());
  } finally {
    reader.close();
    writeSync(2, '\n');
  }
}

/** Asks a question in the open; the default is taken on an empty answer. Null when the input ends without one. */
export async function askPlain(question: string, byDefault: string): Promise<string | null> {
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const shown = byDefault === '' ? `${question}: ` : `${question} [${byDefault}]: `;
    const answer = await Promise.race([reader.question(shown), ended(reader)]);
    if (answer === null) writeSync(2, '\n');
    return answer?.trim() === '' ? byDefault : (answer?.trim() ?? null);
  } finally {
    reader.close();
  }
}

/** readline never settles a question whose input has ended. */
function ended(reader: Interface): Promise<null> {
  return new Promise((resolve) => {
    reader.once('close', () => {
      resolve(null);
    });
  });
}

/** Shows how far a long task is; draws nothing when standard error is no terminal. */
export interface Progress {
  /** `done` of `total`; total 0 means not known. */
  at(done: number, total: number): void;
  end(): void;
}

/** A progress bar on standard error. */
export function progressBar(label: string, now: () => number): Progress {
  if (!process.stderr.isTTY) return { at: () => undefined, end: () => undefined };
  let last = Number.NEGATIVE_INFINITY;
  return {
    at: (done, total) => {
      if (now() - last < BAR_INTERVAL_MS && done !== total) return;
      last = now();
      writeSync(2, `\r${label} ${bar(done, total)}`);
    },
    end: () => {
      writeSync(2, '\r\u001b[K');
    },
  };
}

function bar(done: number, total: number): string {
  if (total <= 0) return String(done);
  const filled = Math.round((Math.min(done, total) / total) * BAR_WIDTH);
  return `[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] ${String(Math.floor((done / total) * 100))} %`;
}
