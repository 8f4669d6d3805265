import type { Command } from 'commander';
import type { WithClient } from './resource.ts';
import { writeNewFile } from './secret-file.ts';
import { globalFlags } from './settings.ts';

/** Everybody may check with it. */
const PUBLIC = 0o644;

/** Adds `revocations export`. */
export function addRevocations(program: Command, withClient: WithClient): void {
  const revocations = program.command('revocations').description('what no longer counts before its end');
  const exporting = revocations
    .command('export')
    .description('print the revocation list of the tenant, signed: for machines without a network')
    .option('--out <file>', 'write it to this new file')
    .addHelpText(
      'after',
      `
Examples:
  mintmark revocations export --out revocations.jws
  mintmark --tenant acme --environment test revocations export
  mintmark verify machine.lic --revocations revocations.jws --trust trust-bundle.json …`,
    );
  exporting.action(({ out: file }: { out?: string }) =>
    withClient(exporting, async ({ client, out }) => {
      const { tenant, environment } = globalFlags(exporting);
      const path =
        tenant === undefined ? '/revocations' : `/tenants/${encodeURIComponent(tenant)}/revocations`;
      const query = environment === undefined ? '' : `?env=${encodeURIComponent(environment)}`;
      const { body } = await client.send({ method: 'GET', path: `${path}${query}` });
      const text = Buffer.isBuffer(body) ? body.toString('ascii') : JSON.stringify(body);
      if (file === undefined) out.result({ data: text }, () => text);
      else {
        writeNewFile(file, `${text}\n`, PUBLIC);
        out.result({ data: { file } }, () => `written to ${file}`);
      }
    }),
  );
}
