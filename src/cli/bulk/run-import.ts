import { systemClock } from '../../lib/clock.ts';
import type { ApiClient } from '../api-client.ts';
import { CliError, EXIT } from '../exit-code.ts';
import type { ActionContext } from '../resource.ts';
import { counted } from '../page.ts';
import { demandPlaceFor } from '../secret-file.ts';
import { type Output, type Progress, progressBar } from '../terminal.ts';
import { AppendFile } from './append-file.ts';
import { batchesOf, type RowBatch } from './batches.ts';
import { checkLicenses } from './check-licenses.ts';
import { importLicenses } from './import-licenses.ts';
import { planImport } from './import-plan.ts';
import { type ImportState, readState, writeState } from './import-state.ts';
import { type ImportOptions, settingsDigest, type Wish } from './import-wish.ts';
import { lockState } from './import-lock.ts';
import { type Input, openInput } from './input-file.ts';
import { hasKey, KeyList, KEYS_HEADER } from './key-list.ts';
import { isGood } from './license-batch-request.ts';
import { type ItemReading, readItem, type ReadRow } from './license-item.ts';
import { loadNames, type Names, refuseDevelopment, targetOf } from './names.ts';
import { ProblemReport, REPORT_HEADER } from './problem-report.ts';
import { type Reading, readRows } from './rows.ts';
import { stopSignal } from './stop-signal.ts';

/**
 * Imports, or with --dry-run checks, a file of licences.
 * @throws CliError, Fault DEV_APPLIANCE
 */
export async function runImport({ client, out }: ActionContext, wish: Wish): Promise<void> {
  await refuseDevelopment(client);
  const input = await openInput(wish.path);
  const progress = progressBar('importing licences', () => systemClock.monotonic());
  try {
    const names = await loadNames(client);
    const reading = { names, ...(await itemReading(names, wish.options)) };
    const around = { client, out, wish, input, progress };
    if (wish.options.dryRun === true) await dryRun(around, reading);
    else await realRun(around, reading);
  } finally {
    progress.end();
    input.close();
  }
}

interface Around {
  readonly client: ApiClient;
  readonly out: Output;
  readonly wish: Wish;
  readonly input: Input;
  readonly progress: Progress;
}

async function itemReading(names: Names, options: ImportOptions): Promise<Omit<ItemReading, 'names'>> {
  const { licenseInput } = await import('../../licensing/licenses/license-schema.ts');
  const policy = options.policy === undefined ? undefined : names.policy(options.policy);
  const product = options.product === undefined ? undefined : names.product(options.product);
  if (options.policy !== undefined && policy === undefined) throw unknownName('policy', options.policy);
  if (options.product !== undefined && product === undefined) throw unknownName('product', options.product);
  const productId = product ?? policy?.productId;
  const defaults = {
    ...(productId !== undefined && { productId }),
    ...(policy !== undefined && { policyId: policy.id }),
  };
  return { defaults, schema: licenseInput };
}

/** A policy is found by its name, too, where only one has it. */
function unknownName(noun: 'policy' | 'product', name: string): CliError {
  const byName = noun === 'policy' ? ', nor a single one with this name' : '';
  const what = `--${noun} ${name}: there is no ${noun} with this code or id${byName}`;
  return new CliError(EXIT.usage, what, `\`mintmark ${noun} list\` shows them.`);
}

async function dryRun({ client, out, wish, input, progress }: Around, reading: ItemReading): Promise<void> {
  const { errors: path, allowWeak = false } = wish.options;
  if (path !== undefined) demandPlaceFor(path);
  const file = path === undefined ? null : AppendFile.open({ path, bytes: 0 }, REPORT_HEADER);
  const job = {
    client,
    terms: { allowWeak },
    report: new ProblemReport(out, file),
    tick: ticker(input, progress),
  };
  const summary = await checkLicenses(job, batches(input, wish.reading, reading));
  progress.end();
  file?.settle();
  file?.close();
  const { rows, good, problems } = summary;
  const text = `${input.name}: ${counted(rows, 'row')}, ${String(good)} could be imported, ${counted(problems, 'problem')}; nothing was created`;
  out.result({ data: { dryRun: true, ...summary } }, () => text);
  if (problems > 0) throw new CliError(EXIT.invalid, '');
}

function batches(input: Input, reading: Reading, items: ItemReading): AsyncGenerator<RowBatch> {
  return batchesOf(itemsOf(input, reading, items));
}

async function* itemsOf(input: Input, reading: Reading, items: ItemReading): AsyncGenerator<ReadRow> {
  for await (const row of readRows(input.texts(), reading)) yield readItem(row, items);
}

const ticker = (input: Input, progress: Progress) => (): void => {
  progress.at(input.consumed, input.size ?? 0);
};

async function realRun(around: Around, reading: ItemReading): Promise<void> {
  const { wish, input } = around;
  // Without a state nothing is resumed, and nothing is there that two could write.
  const lock = input.digest === null ? undefined : lockState(wish.statePath);
  try {
    await lockedRun(around, reading);
  } finally {
    lock?.release();
  }
}

async function lockedRun(around: Around, reading: ItemReading): Promise<void> {
  const { client, out, wish, input, progress } = around;
  const { allowWeak = false, skipErrors = false } = wish.options;
  const begun = await begin(around, reading);
  const { state, files } = begun;
  if (state.finished) {
    out.note('this import was finished before; what it did then:');
    report(around, state, state);
    return;
  }
  const stop = stopSignal(out, 'batch');
  try {
    const job = {
      ...{ client, terms: { allowWeak }, skipErrors, files },
      keys: new KeyList(files.keys),
      report: new ProblemReport(out, files.errors),
      save: begun.save,
      stopping: stop.asked,
      tick: ticker(input, progress),
      now: () => systemClock.wall(),
    };
    const rows = placedOnly(batches(input, wish.reading, reading), {
      from: state.batch,
      mayMake: files.keys !== null || mayShowKeys(out),
    });
    const end = await importLicenses(job, state, rows);
    progress.end();
    report(around, state, end);
  } finally {
    stop.end();
    files.keys?.close();
    files.errors?.close();
  }
}

const mayShowKeys = (out: Output): boolean => process.stdout.isTTY && !out.json;

/** @throws CliError at a row for which a key has to be made, when there is nowhere to put it: before it is sent */
async function* placedOnly(
  all: AsyncIterable<RowBatch>,
  { from, mayMake }: { readonly from: number; readonly mayMake: boolean },
): AsyncGenerator<RowBatch> {
  for await (const batch of all) {
    const without =
      mayMake || batch.number < from ? undefined : batch.rows.find((row) => isGood(row) && !hasKey(row));
    if (without !== undefined) {
      const message = `row ${String(without.number)} brings no key, and there is no place for a new one`;
      throw new CliError(EXIT.usage, message, 'Name a new file for new keys with --keys-out.');
    }
    yield batch;
  }
}

interface Begun {
  readonly state: ImportState;
  readonly files: { readonly keys: AppendFile | null; readonly errors: AppendFile | null };
  readonly save: (state: ImportState) => void;
}

/** Finds out where to begin and opens the files; from here on the state on disk leads back to all of them. */
async function begin({ client, wish, input }: Around, reading: ItemReading): Promise<Begun> {
  const { names } = reading;
  if (names.anyPolicy === undefined)
    throw new CliError(EXIT.usage, 'there is no policy yet', 'Create one with `mintmark policy create`.');
  const identity = {
    input: input.digest ?? '',
    settings: settingsDigest(wish, reading),
    target: await targetOf(client, `/policies/${encodeURIComponent(names.anyPolicy)}`),
    run: wish.options.run ?? '',
  };
  const keeps = input.digest !== null;
  const { resume = false } = wish.options;
  const known = { input: input.name, state: wish.statePath };
  const found = keeps ? readState(wish.statePath) : undefined;
  const planned = planImport(found, {
    identity,
    resume,
    pending: wish.pending,
    now: systemClock.wall(),
    names: known,
  });
  const save = (state: ImportState): void => {
    if (keeps) writeState(wish.statePath, state);
  };
  if (planned.finished) return { state: planned, files: { keys: null, errors: null }, save };
  const { keysOut, errors } = wish.options;
  const state = { ...planned, keys: placeOf(planned.keys, keysOut), errors: placeOf(planned.errors, errors) };
  save(state);
  return { state, save, files: opened(state) };
}

function opened({ keys, errors }: ImportState): Begun['files'] {
  return {
    keys: keys === null ? null : AppendFile.open(keys, KEYS_HEADER),
    errors: errors === null ? null : AppendFile.open(errors, REPORT_HEADER),
  };
}

/** A file that was begun is gone on with; a new one must not be there. */
function placeOf(begun: ImportState['keys'], path: string | undefined): ImportState['keys'] {
  if (begun === null) {
    if (path === undefined) return null;
    demandPlaceFor(path);
    return { path, bytes: 0 };
  }
  if (path === undefined || path === begun.path) return begun;
  throw new CliError(
    EXIT.usage,
    `this import was begun with ${begun.path}, not ${path}`,
    'Name the same file, or none.',
  );
}

function report({ out, wish, input }: Around, begun: ImportState, end: ImportState): void {
  const { rows, created, repeated, refused, finished } = end;
  const counts = { rows, created, repeated, refused };
  const resumedAt = begun.rows > 0 ? { resumedBehindRow: begun.rows } : {};
  if (!finished) {
    const message = `stopped behind row ${String(rows)}: ${wordsOf(end)}`;
    throw new CliError(EXIT.refused, message, input.digest === null ? '' : 'Go on with --resume.');
  }
  const { keys, errors } = end;
  const files = {
    keys: keys?.path ?? null,
    errors: errors?.path ?? null,
    state: input.digest === null ? null : wish.statePath,
  };
  out.result(
    { data: { ...counts, ...resumedAt, finished, ...files } },
    () => `${input.name}: ${wordsOf(end)}`,
  );
  if (refused > 0) throw new CliError(EXIT.invalid, '');
}

function wordsOf({ rows, created, repeated, refused }: ImportState): string {
  const parts = [counted(rows, 'row'), `${counted(created, 'licence')} created`];
  if (repeated > 0) parts.push(`${String(repeated)} found created by an earlier try`);
  if (refused > 0) parts.push(`${counted(refused, 'row')} left out`);
  return parts.join(', ');
}
