import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { systemClock } from '../lib/clock.ts';
import type { ApiClient } from './api-client.ts';
import { CliError, EXIT } from './exit-code.ts';
import { counted } from './page.ts';
import { type ActionContext, column, endOf, type WithClient } from './resource.ts';
import { demandPlaceFor } from './secret-file.ts';
import { type Output, progressBar, table } from './terminal.ts';

interface BatchOptions {
  readonly productId: string;
  readonly policyId: string;
  readonly count: string;
  readonly name?: string;
  readonly expiresAt?: string;
  readonly out?: string;
}

type Created = Readonly<Record<string, unknown>>;

/** Licences of one request to the appliance, which creates all of them or none. */
const PER_REQUEST = 1000;
const COUNT_LIMIT = 1_000_000;
const SHOWN = [column('ID', 'id'), column('KEY', 'key'), column('EXPIRES', 'expiresAt')];

/** Adds `license batch`: many licences at once, their keys into a file or onto the terminal. */
export function addLicenseBatch(group: Command, withClient: WithClient): void {
  const command = group
    .command('batch')
    .description('create many licences under one policy')
    .requiredOption('--product-id <id>', 'the product')
    .requiredOption('--policy-id <id>', 'the policy')
    .requiredOption('--count <n>', 'how many')
    .option('--name <name>', 'name for people, the same for all')
    .option('--expires-at <time>', 'a day or a time, ISO 8601; default as the policy says')
    .option('--out <file>', 'write them to this new file (0600), one JSON object a line, keys in full')
    .addHelpText(
      'after',
      `\nEach ${String(PER_REQUEST)} are created together or not at all.` +
        '\nExample:\n  mintmark license batch --product-id prod_01… --policy-id pol_01… --count 500 --out keys.jsonl',
    );
  command.action(async (options: BatchOptions) => {
    const count = countOf(options.count);
    refuseLeak(options.out);
    await withClient(command, (context) => run(context, options, count));
  });
}

function countOf(text: string): number {
  const count = /^\d+$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= COUNT_LIMIT) return count;
  throw new CliError(EXIT.usage, `--count: ${text} is not a whole number from 1 to ${String(COUNT_LIMIT)}`);
}

/** Keys go to a terminal or a new file of their owner's alone, never into a pipe. */
function refuseLeak(file: string | undefined): void {
  if (file !== undefined) demandPlaceFor(file);
  else if (!process.stdout.isTTY) {
    const what = 'licence keys are shown here in full and standard output is no terminal';
    throw new CliError(EXIT.usage, what, 'Name a new file for them with --out.');
  }
}

async function run({ client, out }: ActionContext, options: BatchOptions, count: number): Promise<void> {
  const { out: path } = options;
  if (path === undefined) {
    const licenses: Created[] = [];
    await createAll({ client, out, options, count }, (part) => void licenses.push(...part));
    out.result({ data: licenses }, () => table(SHOWN, licenses));
    return;
  }
  const descriptor = openSync(path, 'wx', 0o600);
  let written = 0;
  try {
    await createAll({ client, out, options, count }, (part) => {
      writeFileSync(descriptor, part.map((license) => `${JSON.stringify(license)}\n`).join(''));
      written += part.length;
    });
  } finally {
    closeSync(descriptor);
    // An empty one would only be in the way of the next try.
    if (written === 0) rmSync(path, { force: true });
  }
  out.result({ data: { count, file: path } }, () => `${path}: ${counted(count, 'licence')}`);
}

interface Job {
  readonly client: ApiClient;
  readonly out: Output;
  readonly options: BatchOptions;
  readonly count: number;
}

/** Each part is handed on as soon as it is created: what comes after it may fail. */
async function createAll(job: Job, take: (part: readonly Created[]) => void): Promise<void> {
  const { client, out, options, count } = job;
  const { productId, policyId, name, expiresAt } = options;
  const template = {
    productId,
    policyId,
    name,
    ...(expiresAt !== undefined && { expiresAt: endOf(expiresAt) }),
  };
  const progress = progressBar('creating licences', () => systemClock.monotonic());
  let done = 0;
  try {
    while (done < count) {
      const body = { template, count: Math.min(PER_REQUEST, count - done) };
      const data = await client.data({ method: 'POST', path: '/licenses/batch', body });
      take((data as { readonly licenses: Created[] }).licenses); // the route's answer
      done += body.count;
      progress.at(done, count);
    }
  } catch (error) {
    if (done > 0) out.warn(`${String(done)} of ${String(count)} licences were created before this:`);
    throw error;
  } finally {
    progress.end();
  }
}
