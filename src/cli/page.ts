import { DAY, HOUR, MINUTE } from '../lib/clock.ts';
import { harmless } from './terminal.ts';

/** Columns that a page fits in, on the smallest terminal people use. */
export const PAGE_COLUMNS = 80;

/** How text stands out; where nobody sees colours, each gives its text as it is. */
export interface Colours {
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly doubtful: (text: string) => string;
  readonly heading: (text: string) => string;
  readonly quiet: (text: string) => string;
}

const sgr =
  (on: boolean, code: number) =>
  (text: string): string =>
    on ? `\u001b[${String(code)}m${text}\u001b[0m` : text;

/** Colours for a terminal (ECMA-48 SGR), none for a file, a pipe, or whoever set NO_COLOR. */
export function coloursFor(stream: { readonly isTTY?: boolean }): Colours {
  const { NO_COLOR: refused = '', TERM: terminal } = process.env;
  const on = stream.isTTY === true && refused === '' && terminal !== 'dumb';
  return {
    good: sgr(on, 32),
    bad: sgr(on, 31),
    doubtful: sgr(on, 33),
    heading: sgr(on, 1),
    quiet: sgr(on, 2),
  };
}

/** Breaks words into lines of at most `columns`; a longer word stands by itself. */
export function wrapped(text: string, columns: number): string[] {
  const lines: string[] = [];
  for (const word of harmless(text).split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= columns)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** `label` in its column, and beside it text in lines that fit the page. */
export function labelled(label: string, text: string, indent: number): string[] {
  const lines = wrapped(text, PAGE_COLUMNS - indent);
  return lines.map((line, i) => `${(i === 0 ? label : '').padEnd(indent)}${line}`);
}

/** Cuts text that is too long for its column. */
export function clipped(text: string, columns: number): string {
  const shown = harmless(text);
  return shown.length <= columns ? shown : `${shown.slice(0, columns - 1)}…`;
}

/** `1 licence`, `2 licences`. */
export function counted(count: number, noun: string): string {
  return `${String(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** `2026-11-22 10:00` of an ISO 8601 time in UTC. */
export function minuteOf(time: string): string {
  return time.slice(0, 16).replace('T', ' ');
}

/** `in 3 days` or `2 hours ago`, seen from `now`; both ISO 8601. */
export function relative(time: string, now: string): string {
  const ms = Date.parse(time) - Date.parse(now);
  const length = lengthOf(Math.abs(ms));
  if (length === null) return ms < 0 ? 'just now' : 'at once';
  return ms < 0 ? `${length} ago` : `in ${length}`;
}

function lengthOf(ms: number): string | null {
  const units = [
    ['day', DAY],
    ['hour', HOUR],
    ['minute', MINUTE],
  ] as const;
  for (const [name, size] of units) {
    const count = Math.floor(ms / size);
    if (count > 0) return counted(count, name);
  }
  return null;
}
