import { createHash } from 'node:crypto';
import { isoTime } from '../../lib/clock.ts';
import { type ApiClient, ApiRefusal } from '../api-client.ts';
import { CliError, EXIT } from '../exit-code.ts';
import type { AppendFile } from './append-file.ts';
import type { RowBatch } from './batches.ts';
import type { ImportState } from './import-state.ts';
import type { KeyList } from './key-list.ts';
import {
  type BatchTerms,
  checkRows,
  createRows,
  type GoodRow,
  isGood,
  problemsIn,
} from './license-batch-request.ts';
import type { ReadRow } from './license-item.ts';
import { type FoundProblem, problemsOfRows, type ProblemReport } from './problem-report.ts';

/** What an import needs. */
export interface ImportJob {
  readonly client: ApiClient;
  readonly terms: BatchTerms;
  /** Leave out rows that cannot be imported, instead of stopping at their batch. */
  readonly skipErrors: boolean;
  readonly keys: KeyList;
  readonly report: ProblemReport;
  readonly files: { readonly keys: AppendFile | null; readonly errors: AppendFile | null };
  /** Makes a state durable. */
  readonly save: (state: ImportState) => void;
  /** True when the person has asked to stop. */
  readonly stopping: () => boolean;
  /** Called after each batch. */
  readonly tick: () => void;
  readonly now: () => number;
}

/**
 * Imports batch after batch, and keeps an account of it from which another process can go on.
 *
 * For each batch: 1. The state says that it is being sent. Stop here, or while it is sent: resuming sends the same bytes
 * under the same idempotency key, and the appliance creates them or says what it created. 2. New keys are on disk. Stop
 * here: resuming cuts them off and is told them again. 3. The state says that the batch is done.
 * @returns the state at the end; not `finished` when the person stopped it
 * @throws CliError at the first batch that has rows that cannot be imported, unless they are to be left out; whatever the
 *   appliance refuses as a whole
 */
export async function importLicenses(
  job: ImportJob,
  begun: ImportState,
  batches: AsyncIterable<RowBatch>,
): Promise<ImportState> {
  const account = new Account(job, begun);
  for await (const batch of batches) {
    if (batch.number < begun.batch) continue;
    if (job.stopping()) return account.state;
    await importBatch(job, account, batch);
    job.tick();
  }
  account.change({ finished: true });
  return account.state;
}

/** The state, which is on disk whenever `change` has returned. */
class Account {
  readonly #job: ImportJob;
  #state: ImportState;

  constructor(job: ImportJob, begun: ImportState) {
    this.#job = job;
    this.#state = begun;
  }

  get state(): ImportState {
    return this.#state;
  }

  /** First the files, then the state that says how far they are certain. */
  change(change: Partial<ImportState>): void {
    const { keys, errors } = this.#job.files;
    const places = { keys: keys?.settle() ?? null, errors: errors?.settle() ?? null };
    this.#state = { ...this.#state, ...change, ...places };
    this.#job.save(this.#state);
  }
}

async function importBatch(job: ImportJob, account: Account, batch: RowBatch): Promise<void> {
  let rows = batch.rows.filter(({ number }) => !account.state.leftOut.includes(number));
  let outcome = await attempt(job, account, rows);
  while (!('counts' in outcome)) {
    const { problems } = outcome;
    job.report.add(problems);
    if (!job.skipErrors) throw stopped(account.state, batch, problems);
    const out = new Set(problems.map(({ row }) => row?.number));
    rows = rows.filter(({ number }) => !out.has(number));
    leaveOut(account, out);
    outcome = await attempt(job, account, rows);
  }
  const { rows: before, refused, leftOut } = account.state;
  account.change({
    ...outcome.counts,
    batch: batch.number + 1,
    leftOut: [],
    sentAt: null,
    rows: before + batch.rows.length,
    refused: refused + leftOut.length,
  });
}

/** From here on the batch is another request, with an idempotency key of its own: that must outlast us. */
function leaveOut(account: Account, numbers: ReadonlySet<number | undefined>): void {
  const more = [...numbers].filter((number) => number !== undefined);
  account.change({ leftOut: [...account.state.leftOut, ...more], sentAt: null });
}

/** Rows that cannot be created, so that none was; or what the state says once they are. */
type Attempted =
  | { readonly problems: readonly FoundProblem[] }
  | { readonly counts: Partial<Pick<ImportState, 'created' | 'repeated'>> };

async function attempt(job: ImportJob, account: Account, rows: readonly ReadRow[]): Promise<Attempted> {
  const good = rows.filter(isGood);
  const unread = problemsOfRows(rows);
  if (unread.length > 0) return { problems: [...unread, ...(await problemsOf(job, good))] };
  if (good.length === 0) return { counts: {} };
  if (account.state.sentAt === null) account.change({ sentAt: isoTime(job.now()) });
  try {
    return { counts: await create(job, account.state, good) };
  } catch (error) {
    return { problems: await refusedRows({ job, account, good }, error) };
  }
}

/** @throws `error` when it is not about single rows */
async function refusedRows(
  {
    job,
    account,
    good,
  }: { readonly job: ImportJob; readonly account: Account; readonly good: readonly GoodRow[] },
  error: unknown,
): Promise<readonly FoundProblem[]> {
  // Only a refusal proves that nothing was created; after any other failure the batch stays in doubt.
  if (!(error instanceof ApiRefusal) || !isAnswer(error)) throw error;
  account.change({ sentAt: null });
  if (problemsIn(error, good).length === 0) throw error;
  const problems = await problemsOf(job, good);
  if (problems.length === 0) throw error;
  return problems;
}

/** Too many requests and a failing server say nothing of what became of an earlier try of the same request. */
const isAnswer = ({ status }: ApiRefusal): boolean => status < 500 && status !== 429;

async function create(job: ImportJob, state: ImportState, rows: readonly GoodRow[]) {
  const idempotencyKey = keyOf(state, rows);
  const batch = await createRows(job.client, rows, { ...job.terms, idempotencyKey });
  job.keys.add(rows, batch);
  return batch.repeated
    ? { repeated: state.repeated + rows.length }
    : { created: state.created + rows.length };
}

async function problemsOf(job: ImportJob, rows: readonly GoodRow[]): Promise<FoundProblem[]> {
  const { problems } = await checkRows(job.client, rows, { ...job.terms, after: 0 });
  return problems.filter(({ row }) => row !== null);
}

/**
 * The same for the same batch of the same file, imported the same way. Without a digest of the file (standard input) the
 * rows themselves stand for it.
 */
function keyOf(state: ImportState, rows: readonly GoodRow[]): string {
  const { input, settings, run, batch, leftOut } = state;
  const content = input === '' ? JSON.stringify(rows.map(({ item }) => item)) : input;
  const parts = [content, settings, run, batch, leftOut.length];
  return `import-${createHash('sha256').update(JSON.stringify(parts)).digest('base64url')}`;
}

function stopped(state: ImportState, batch: RowBatch, problems: readonly FoundProblem[]): CliError {
  const bad = new Set(problems.map(({ row }) => row?.number)).size;
  const [from, to] = [batch.rows[0], batch.rows.at(-1)].map((row) => String(row?.number));
  const what = `${String(bad)} of the rows ${from ?? ''} to ${to ?? ''} cannot be imported, so none of these was`;
  if (state.batch === 0 && state.leftOut.length === 0) {
    return new CliError(
      EXIT.refused,
      what,
      'Correct the file and begin again, or leave them out: --skip-errors.',
    );
  }
  return new CliError(
    EXIT.refused,
    `${what}; the ${String(state.rows)} rows before them are settled`,
    'Go on without them: --resume --skip-errors; then import them, corrected, from a file of their own.',
  );
}
