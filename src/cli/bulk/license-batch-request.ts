import { type ApiAnswer, type ApiClient, type ApiFieldError, ApiRefusal } from '../api-client.ts';
import { columnOfField, type LicenseItem, type ReadRow } from './license-item.ts';
import { sendPatiently } from './patience.ts';
import type { FoundProblem } from './problem-report.ts';

const PATH = '/licenses/batch';
const ITEM = /^items\.(\d+)(?:\.(.*))?$/;

/** A row that can be sent. */
export type GoodRow = ReadRow & { readonly item: LicenseItem };

/** Licences as the answer to a batch shows them, keys in full. */
export interface CreatedBatch {
  readonly licenses: readonly { readonly id: string; readonly key: string | null }[];
  /** They had been created by an earlier request with this key. */
  readonly repeated: boolean;
}

/** What a batch is sent with. */
export interface BatchTerms {
  readonly allowWeak: boolean;
}

/** Whether a row can be sent. */
export function isGood(row: ReadRow): row is GoodRow {
  return row.item !== null;
}

/**
 * Creates the licences of rows, all or none; under one idempotency key at most once, whatever happens to the answer.
 * @throws ApiRefusal, CliError (nobody answered for a minute)
 */
export async function createRows(
  client: ApiClient,
  rows: readonly GoodRow[],
  sent: BatchTerms & { readonly idempotencyKey: string },
): Promise<CreatedBatch> {
  const headers = { 'idempotency-key': sent.idempotencyKey };
  const answer = await sendPatiently(client, {
    method: 'POST',
    path: PATH,
    headers,
    body: bodyOf(rows, sent),
  });
  const { licenses } = dataOf(answer) as Pick<CreatedBatch, 'licenses'>; // the route's answer
  return { licenses, repeated: answer.headers['idempotent-replayed'] === 'true' };
}

/** Has the appliance find everything that stands in the way of rows; creates nothing. */
export async function checkRows(
  client: ApiClient,
  rows: readonly GoodRow[],
  sent: BatchTerms & { readonly after: number },
): Promise<{ readonly good: number; readonly problems: readonly FoundProblem[] }> {
  if (rows.length === 0) return { good: 0, problems: [] };
  const body = { ...bodyOf(rows, sent), dryRun: true, dryRunAfter: sent.after };
  try {
    const data = dataOf(await sendPatiently(client, { method: 'POST', path: PATH, body })) as Check; // its answer
    return { good: data.good, problems: data.errors.map((error) => problemOf(error, rows)) };
  } catch (error) {
    const problems = problemsIn(error, rows);
    if (problems.length === 0) throw error;
    return { good: 0, problems };
  }
}

interface Check {
  readonly good: number;
  readonly errors: readonly ApiFieldError[];
}

function bodyOf(rows: readonly GoodRow[], { allowWeak }: BatchTerms): Record<string, unknown> {
  return { items: rows.map(({ item }) => item), allowWeakKeys: allowWeak };
}

function dataOf({ body }: ApiAnswer): unknown {
  return (body as { readonly data: unknown }).data; // every answer of the API has it
}

/** What a refusal says of single rows; nothing when it is about the request as a whole, or no refusal. */
export function problemsIn(error: unknown, rows: readonly GoodRow[]): FoundProblem[] {
  if (!(error instanceof ApiRefusal)) return [];
  return error.errors.map((one) => problemOf(one, rows)).filter(({ row }) => row !== null);
}

/** Problems of the whole have no row, and no column. */
function problemOf({ path, code, message }: ApiFieldError, rows: readonly GoodRow[]): FoundProblem {
  const [, index, field = ''] = ITEM.exec(path) ?? [];
  const row = index === undefined ? undefined : rows[Number(index)];
  if (row === undefined) return { row: null, column: '', code, message };
  const remedy = code === 'WEAK_KEY' ? '; take another, or take such keys with --allow-weak' : '';
  return { row, column: columnOfField(row.cells, field.split('.')), code, message: `${message}${remedy}` };
}
