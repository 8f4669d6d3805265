import type { Command } from 'commander';
import { readDossier } from './license-dossier.ts';
import { licenseScreen } from './license-screen.ts';
import { coloursFor } from './page.ts';
import type { WithClient } from './resource.ts';
import { type LicenseKeyFlags, readLicense, withLicense } from './which-license.ts';

/** Adds `license show`: everything support needs to know of a licence, on one screen. */
export function addLicenseShow(group: Command, withClient: WithClient): void {
  const command = withLicense(
    group.command('show').description('everything about one licence on one screen'),
  ).addHelpText(
    'after',
    `
Shows its state and why it is not valid, limits, machines, files that are out, who did what last, and what to type next.
With --json everything that was read: the licence, its policy and product, and up to 100 machines and files.

Examples:
  mintmark license show lic_01…
  mintmark license show --license-key-file -                     # paste the key, then Ctrl-D`,
  );
  command.action(async (id: string | undefined, flags: LicenseKeyFlags) => {
    await withClient(command, async ({ client, out }) => {
      const license = await readLicense({ client, out }, id, flags);
      const { license: shown, ...rest } = await readDossier(client, license);
      out.result({ data: { ...shown, ...rest } }, () =>
        licenseScreen({ license: shown, ...rest }, coloursFor(process.stdout)),
      );
    });
  });
}
