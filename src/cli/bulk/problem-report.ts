import { stringify } from 'csv-stringify/sync';
import type { Output } from '../terminal.ts';
import type { AppendFile } from './append-file.ts';
import { escapedCell } from './csv-cell.ts';
import type { ReadRow } from './license-item.ts';
import type { RowProblem } from './rows.ts';

/** A problem and the row that has it; null: the import as a whole. */
export interface FoundProblem extends RowProblem {
  readonly row: Pick<ReadRow, 'number' | 'line'> | null;
}

/** More than a screen of them tells nobody anything; the file has them all. */
const SHOWN = 10;
/** First line of a file of problems. */
export const REPORT_HEADER = 'row,line,column,code,message\n';

/** Tells of problems: the first few on standard error, all of them in a file. Never a value of a row. */
export class ProblemReport {
  readonly #out: Output;
  readonly #file: AppendFile | null;
  #count = 0;

  constructor(out: Output, file: AppendFile | null) {
    this.#out = out;
    this.#file = file;
  }

  /** Problems told so far. */
  get count(): number {
    return this.#count;
  }

  add(problems: readonly FoundProblem[]): void {
    for (const problem of problems) {
      this.#count += 1;
      if (this.#count <= SHOWN) this.#out.warn(wordsOf(problem));
      else if (this.#count === SHOWN + 1)
        this.#out.warn(this.#file === null ? MORE : `more: ${this.#file.path}`);
    }
    this.#file?.write(stringify(problems.map(recordOf)));
  }
}

const MORE = 'there are more; --errors <file> writes all of them';

function wordsOf({ row, column, code, message }: FoundProblem): string {
  const where = row === null ? '' : `row ${String(row.number)} (line ${String(row.line)})`;
  const place = [where, column].filter((part) => part !== '').join(', ');
  return `${place === '' ? '' : `${place}: `}${message} [${code}]`;
}

function recordOf({ row, column, code, message }: FoundProblem): string[] {
  const place = row === null ? ['', ''] : [String(row.number), String(row.line)];
  return [...place, ...[column, code, message].map(escapedCell)];
}

/** What was wrong with rows before anybody was asked. */
export function problemsOfRows(rows: readonly ReadRow[]): FoundProblem[] {
  return rows.flatMap((row) => (row.problems ?? []).map((problem) => ({ ...problem, row })));
}
