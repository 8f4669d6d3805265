import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { systemClock } from '../lib/clock.ts';
import { CliError, EXIT } from './exit-code.ts';
import type { WithClient } from './resource.ts';
import { details, type Output, progressBar } from './terminal.ts';

/** Adds `audit verify|export`. */
export function addAudit(
  program: Command,
  outputOf: (command: Command) => Output,
  withClient: WithClient,
): void {
  const group = program.command('audit').description('the tamper-evident log');
  const verify = group
    .command('verify')
    .description('check an exported log: no appliance and no network needed')
    .argument('<directory>', 'what `audit export` wrote')
    .option('--first-key <key>', 'the ledger key that `mintmark init` showed (unchecked when left out)')
    .addHelpText('after', '\nExit codes: 0 intact, 3 not intact, 2 wrong usage.');
  verify.action(async (directory: string, flags: { firstKey?: string }) => {
    const { describeReport, EXPORT_FILES, parseVerifierKey, verifyExport } =
      await import('../ledger/index.ts');
    demandExport(directory, EXPORT_FILES.entries);
    if (flags.firstKey !== undefined) demandKey(flags.firstKey, parseVerifierKey);
    const bar = progressBar('verifying', () => systemClock.monotonic());
    const onProgress = (done: number, total: number): void => {
      bar.at(done, total);
    };
    const given = flags.firstKey === undefined ? {} : { firstKey: flags.firstKey };
    const report = await verifyExport(directory, { ...given, onProgress });
    bar.end();
    outputOf(verify).result(report, () => describeReport(report).trimEnd());
    if (report.problems.length > 0) throw new CliError(EXIT.invalid, '');
  });
  const exporting = group
    .command('export')
    .description('export the log of the running appliance into an empty directory')
    .argument('<directory>', 'a new directory, on the machine of the appliance')
    .option(
      '--realm-only',
      'show the entries of --tenant and --environment alone, all others as bare hashes',
    );
  exporting.action((directory: string, flags: { realmOnly?: boolean }) =>
    withClient(exporting, async ({ client, out }) => {
      const body = { directory: resolve(directory), realmOnly: flags.realmOnly === true };
      const data = await client.data({ method: 'POST', path: '/system/audit-exports', body });
      out.result({ data }, () => details(data as Record<string, unknown>)); // the route's answer
    }),
  );
}

/** A mistyped key is no damaged ledger either. */
function demandKey(text: string, parse: (text: string) => unknown): void {
  try {
    parse(text);
  } catch (cause) {
    throw new CliError(
      EXIT.usage,
      `--first-key is no ledger key: ${cause instanceof Error ? cause.message : ''}`,
      'Give the line mintmark/… that `mintmark init` showed as ledger key; `mintmark status` shows it too.',
    );
  }
}

/** A mistyped directory is no damaged ledger, and must not read like one. */
function demandExport(directory: string, file: string): void {
  if (existsSync(join(directory, file))) return;
  const what = existsSync(directory) ? `is no export of a ledger: it has no ${file}` : 'is not there';
  throw new CliError(
    EXIT.usage,
    `${directory} ${what}`,
    'Name the directory that `mintmark audit export` wrote.',
  );
}
