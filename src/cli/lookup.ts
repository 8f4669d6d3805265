import type { Command } from 'commander';
import { CliError, EXIT } from './exit-code.ts';
import type { WithClient } from './resource.ts';
import { details, readSecret } from './terminal.ts';

/** Adds `license lookup`: finds a licence by its key without putting the key where others can read it. */
export function addLicenseLookup(group: Command, withClient: WithClient): void {
  const command = group
    .command('lookup')
    .description('find a licence by its key')
    .option('--license-key-file <file>', 'file with the key, or - for standard input')
    .option('--license-key <key>', 'the key itself (other users of this machine can read it)');
  command.action(async () => {
    await withClient(command, async ({ client, out }) => {
      const { licenseKeyFile: file, licenseKey: argument } = command.opts<{
        licenseKeyFile?: string;
        licenseKey?: string;
      }>();
      const key = await readSecret({ file, argument, prompt: 'licence key' }, out);
      if (key === null) throw new CliError(EXIT.usage, 'no licence key was given', 'Use --license-key-file.');
      const data = await client.data({
        method: 'POST',
        path: '/licenses/lookup',
        body: { key: key.expose() },
      });
      out.result({ data }, () => details(data as Record<string, unknown>)); // single resources are objects
    });
  });
}
