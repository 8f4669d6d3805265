import { statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { Unsealing } from '../custody/index.ts';
import type { BackupReport } from '../daemon/backup.ts';
import { Fault } from '../faults.ts';
import { systemClock } from '../lib/clock.ts';
import { demandNewCredential } from './credential-place.ts';
import { CliError, EXIT } from './exit-code.ts';
import { commandLog, surroundings } from './process.ts';
import type { WithClient } from './resource.ts';
import { loadFor } from './settings.ts';
import { askFor, type SlotFlags, unsealingIn, withSlotFlags } from './slot-flags.ts';
import { details, type Output } from './terminal.ts';

/** Adds `backup create|verify|restore`. */
export function addBackup(
  program: Command,
  outputOf: (command: Command) => Output,
  withClient: WithClient,
): void {
  const group = program.command('backup').description('sealed copies of the whole appliance');
  const create = group
    .command('create')
    .description('make a backup of the running appliance and verify it')
    .argument('[file]', 'where to write it (default: backup.directory of the configuration)');
  create.action((file: string | undefined) =>
    withClient(create, async ({ client, out }) => {
      const path = resolve(
        file ??
          join(
            (await loadFor(create)).config.backup.directory,
            `mintmark-${String(systemClock.wall())}.backup`,
          ),
      );
      const data = await client.data({ method: 'POST', path: '/system/backups', body: { path } });
      const { about, ...report } = data as BackupReport; // the route's answer
      const made = details({ ...about, ...report });
      out.result(
        { data },
        () => `${made}\nTry the recovery code on it: mintmark backup verify ${path} --recovery-file …`,
      );
    }),
  );
  addVerify(group, outputOf);
  addRestore(group, outputOf);
}

function addVerify(group: Command, outputOf: (command: Command) => Output): void {
  const verify = withSlotFlags(
    group
      .command('verify')
      .description('prove that a backup is whole and that a slot opens it')
      .argument('<file>', 'the backup'),
    'it',
  ).addHelpText(
    'after',
    '\nUse the recovery code: it is what will be left on the day you need the backup.' +
      '\nExit codes: 0 whole, 3 not usable.',
  );
  verify.action(async (file: string, flags: SlotFlags) => {
    const out = outputOf(verify);
    demandBackup(file);
    const unsealing = await unsealingOf(flags, out);
    const { slotSecret } = await import('../custody/index.ts');
    const { verifyBackup } = await import('../daemon/backup.ts');
    // A backup lies by itself: there is no data directory that the credential could be in.
    const report = await judged(() => verifyBackup(file, slotSecret(unsealing, null)));
    out.result(report, () => describe('whole', report));
  });
}

/** A backup that is not whole is a check that says no. */
async function judged<T>(check: () => Promise<T>): Promise<T> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== 'BACKUP_INVALID') throw error;
    throw new CliError(EXIT.invalid, `${error.code}: ${error.message}`, 'Use another backup.');
  }
}

/** A mistyped name is no damaged backup. */
function demandBackup(file: string): void {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() === true) return;
  throw new CliError(EXIT.usage, `${file} is no file`, 'Name the file that `mintmark backup create` wrote.');
}

function addRestore(group: Command, outputOf: (command: Command) => Output): void {
  const restore = withSlotFlags(
    group
      .command('restore')
      .description('restore a backup into an empty data directory')
      .argument('<file>', 'the backup'),
    'it',
  )
    .option(
      '--credential <file>',
      'make a new credential that opens the appliance at start, and write it here',
    )
    .addHelpText(
      'after',
      `
What was issued, revoked or changed after the backup is not in it: keys revoked since then are valid again.
Look at them first: mintmark api-key list.

Example:
  mintmark --data-dir /var/lib/mintmark backup restore site.backup --recovery-file recovery.txt \\
    --credential /etc/mintmark/credentials/kek`,
    );
  restore.action(async (file: string, flags: SlotFlags & { credential?: string }) => {
    const out = outputOf(restore);
    const { config } = await loadFor(restore);
    if (flags.credential !== undefined) await demandNewCredential(flags.credential, config.data.directory);
    demandBackup(file);
    const unsealing = await unsealingOf(flags, out);
    const given = { path: file, config, unsealing, credentialPath: flags.credential };
    const { restoreBackup } = await import('../daemon/restore.ts');
    const report = await restoreBackup(given, surroundings(commandLog));
    out.result(report, () => describe('restored', report));
    out.warn('everything issued, changed or revoked after this backup is unknown to the appliance');
  });
}

async function unsealingOf(flags: SlotFlags, out: Output): Promise<Unsealing> {
  const unsealing = (await unsealingIn(flags, out)) ?? (await askFor('recovery', out));
  if (unsealing !== null) return unsealing;
  throw new CliError(
    EXIT.usage,
    'nothing opens the backup',
    'Give --recovery-file, --passphrase-file or --credential-file.',
  );
}

function describe(verdict: string, { about, ...report }: BackupReport): string {
  return `${verdict}\n${details({ ...about, ...report })}`;
}
