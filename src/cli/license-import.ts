import type { Command } from 'commander';
import { type ImportOptions, wishOf } from './bulk/import-wish.ts';
import type { WithClient } from './resource.ts';
import { collect } from './settings.ts';

const HELP = `
Columns: key product policy name userEmail userName expiresAt maxMachines maxUses entitlements metadata metadata.<key>
The file is cut into batches of up to 1000 rows; each is created as a whole or not at all. Where an interrupted
import stands is written beside the file (<file>.import-state), and --resume goes on from there: nothing is created
twice. docs/import-export.md says it all.
Where several tenants share the appliance, applications always send their publishable key (X-Publishable-Key):
a licence key alone is ambiguous (REALM_REQUIRED) as soon as another tenant imports the same.
Example:
  mintmark license import customers.csv --policy desktop --dry-run
  mintmark license import customers.csv --policy desktop --keys-out keys.csv --errors errors.csv`;

/** Adds `license import`: licences from a CSV or JSONL file of any length. */
export function addLicenseImport(group: Command, withClient: WithClient): void {
  const command = group
    .command('import')
    .description('create licences from a CSV or JSONL file, with keys of another system or new ones')
    .argument('<file>', 'the file, or - for standard input')
    .option('--product <code>', 'product of rows that name none, by code or id')
    .option(
      '--policy <code>',
      'policy of rows that name none, by code or id, or by name where only one has it',
    )
    .option('--format <name>', 'csv or jsonl; default by the name of the file')
    .option('--delimiter <sign>', 'between CSV cells; default: what divides the first line (, ; tab |)')
    .option(
      '--map <yours=ours>',
      'which column of ours one of yours is; yours= passes it over; repeatable',
      collect,
    )
    .option(
      '--escaped',
      'take off the apostrophes that an export puts before formulas (its own header is recognised)',
    )
    .option('--allow-weak', 'take keys that are easily guessed, too')
    .option('--dry-run', 'let everything be checked, create nothing')
    .option('--resume', 'go on with an interrupted import')
    .option('--skip-errors', 'leave out rows that cannot be imported, instead of stopping at their batch')
    .option('--errors <file>', 'write what is wrong with which row to this new file (CSV)')
    .option('--keys-out <file>', 'write keys that are made to this new file (0600, CSV: row, id, key)')
    .option('--state <file>', 'where the import keeps its state (default: <file>.import-state)')
    .option('--run <name>', 'import the same file once more, as a run of its own')
    .option(
      '--pending <created|missing>',
      'with --resume after a day: what became of the batch that was under way',
    )
    .addHelpText('after', HELP);
  command.action(async (path: string, options: ImportOptions) => {
    const wish = wishOf(path, options);
    const { runImport } = await import('./bulk/run-import.ts');
    await withClient(command, (context) => runImport(context, wish));
  });
}
