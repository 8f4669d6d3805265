import type { Command } from 'commander';
import type { ExportOptions } from './bulk/export-rows.ts';
import { CliError, EXIT } from './exit-code.ts';
import type { WithClient } from './resource.ts';

interface LicenseExportOptions extends ExportOptions {
  readonly productId?: string;
  readonly policyId?: string;
  readonly status?: string;
  readonly userEmail?: string;
  readonly expiresBefore?: string;
  readonly reveal?: boolean;
}

/** Adds `license export`: all licences, or those of a filter, as CSV or JSONL. */
export function addLicenseExport(group: Command, withClient: WithClient): void {
  const command = exporting(group, 'licences')
    .option('--product-id <id>', 'only of this product')
    .option('--policy-id <id>', 'only of this policy')
    .option('--status <status>', 'active, suspended, expired, revoked or banned')
    .option('--user-email <address>', 'only of this person')
    .option('--expires-before <time>', 'ISO 8601')
    .option(
      '--reveal',
      'keys and persons in clear; needs --output and licenses:reveal, and the ledger names each',
    )
    .addHelpText(
      'after',
      '\nExample:\n  mintmark license export --status active --output licences.csv' +
        '\n  mintmark license export --status active --output licences.csv --resume',
    );
  command.action(async (options: LicenseExportOptions) => {
    const { format, output, resume, reveal = false, ...filters } = options;
    if (reveal && output === undefined) {
      throw new CliError(
        EXIT.usage,
        '--reveal writes licence keys',
        'Name a new file for them with --output.',
      );
    }
    const { exportLicenses } = await import('./bulk/run-export.ts');
    await withClient(command, (context) =>
      exportLicenses(context, { ...placed({ format, output, resume }), filters, reveal }),
    );
  });
}

interface MachineExportOptions extends ExportOptions {
  readonly licenseId?: string;
}

/** Adds `machine export`: all machines, or those of a licence. */
export function addMachineExport(group: Command, withClient: WithClient): void {
  const command = exporting(group, 'machines')
    .option('--license-id <id>', 'only those of this licence')
    .addHelpText('after', '\nExample:\n  mintmark machine export --output machines.csv');
  command.action(async (options: MachineExportOptions) => {
    const { format, output, resume, ...filters } = options;
    const { exportMachines } = await import('./bulk/run-export.ts');
    await withClient(command, (context) =>
      exportMachines(context, { ...placed({ format, output, resume }), filters }),
    );
  });
}

function exporting(group: Command, what: string): Command {
  return group
    .command('export')
    .description(`write ${what} as CSV or JSONL`)
    .option('--format <name>', 'csv or jsonl; default by the name of the file, else csv')
    .option('--output <file>', 'a new file (0600) instead of standard output; it is there when it is whole')
    .option(
      '--resume',
      'go on with an interrupted export into --output, with the same options (<file>.partial, <file>.export-state)',
    );
}

interface Placing {
  readonly format: string | undefined;
  readonly output: string | undefined;
  readonly resume: boolean | undefined;
}

/** @throws CliError when there is no file that could be gone on with */
function placed({ format, output, resume = false }: Placing): ExportOptions {
  if (resume && output === undefined) {
    throw new CliError(
      EXIT.usage,
      'what goes to standard output cannot be resumed',
      'Name the file of the interrupted export with --output.',
    );
  }
  return { ...(format !== undefined && { format }), ...(output !== undefined && { output }), resume };
}
