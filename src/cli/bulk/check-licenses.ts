import type { ApiClient } from '../api-client.ts';
import type { RowBatch } from './batches.ts';
import { hasKey } from './key-list.ts';
import { type BatchTerms, checkRows, type GoodRow, isGood } from './license-batch-request.ts';
import { type FoundProblem, problemsOfRows, type ProblemReport } from './problem-report.ts';
import { SeenKeys } from './seen-keys.ts';

/** What a dry run needs. */
export interface CheckJob {
  readonly client: ApiClient;
  readonly terms: BatchTerms;
  readonly report: ProblemReport;
  /** Called after each batch. */
  readonly tick: () => void;
}

/** What a dry run came to. */
export interface CheckSummary {
  readonly rows: number;
  /** Rows that would become licences. */
  readonly good: number;
  readonly problems: number;
}

/**
 * Checks all rows as an import would find them, and creates nothing: what is wrong with the text here, everything else by
 * the appliance's own dry run; keys that are twice in the file are found here, since no single request has both.
 */
export async function checkLicenses(job: CheckJob, batches: AsyncIterable<RowBatch>): Promise<CheckSummary> {
  const seen = new SeenKeys();
  const whole = new Set<string>();
  let rows = 0;
  let good = 0;
  for await (const batch of batches) {
    rows += batch.rows.length;
    const unread = problemsOfRows(batch.rows);
    const fresh = batch.rows
      .filter(isGood)
      .map((row) => ({ row, twice: hasKey(row) && seen.add(String(row.item['key'])) }));
    const once = fresh.flatMap(({ row, twice }) => (twice ? [] : [row]));
    const checked = await checkRows(job.client, once, { ...job.terms, after: good });
    const twice = fresh.flatMap(({ row, twice: again }) => (again ? [keyTwice(row)] : []));
    job.report.add(inOrder([...unread, ...twice, ...firstOfWhole(checked.problems, whole)]));
    good += checked.good;
    job.tick();
  }
  return { rows, good, problems: job.report.count };
}

function keyTwice(row: GoodRow): FoundProblem {
  const column = row.cells.find((cell) => cell.column.field === 'key')?.label ?? 'key';
  return { row, column, code: 'CONFLICT', message: 'this key is in the file twice' };
}

/** A limit that one batch runs into stands in the way of all that follow; it is told once. */
function firstOfWhole(problems: readonly FoundProblem[], told: Set<string>): FoundProblem[] {
  return problems.filter(({ row, code }) => {
    if (row !== null) return true;
    const before = told.has(code);
    told.add(code);
    return !before;
  });
}

function inOrder(problems: readonly FoundProblem[]): FoundProblem[] {
  return problems.toSorted((a, b) => (a.row?.number ?? Infinity) - (b.row?.number ?? Infinity));
}
