/** What a spreadsheet takes for the beginning of a formula, and the apostrophe that says it is none. */
const RISKY = /^[=+\-@\t\r\n']/;
const ESCAPED = /^'[=+\-@\t\r\n']/;

/**
 * A text as an export writes it: with an apostrophe before what a spreadsheet would run as a formula (`=` `+` `-` `@`, tab,
 * line end) and before an apostrophe, so that it can be undone.
 */
export function escapedCell(text: string): string {
  return RISKY.test(text) ? `'${text}` : text;
}

/** The text that `escapedCell` was given. */
export function unescapedCell(cell: string): string {
  return ESCAPED.test(cell) ? cell.slice(1) : cell;
}
