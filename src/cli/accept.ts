import type { Command } from 'commander';
import type { Authority } from '../storage/entry.ts';
import type { LossReport } from '../daemon/accept.ts';
import type { Parts } from '../daemon/parts.ts';
import { commandLog, surroundings } from './process.ts';
import { loadFor } from './settings.ts';
import { type SlotFlags, unsealingIn, withSlotFlags } from './slot-flags.ts';
import { details, type Output } from './terminal.ts';

/** Adds `restore accept` and `instance accept`: what an operator decides about an appliance that does not run. */
export function addAcceptances(program: Command, outputOf: (command: Command) => Output): void {
  addRestoreAccept(program, outputOf);
  addInstanceAccept(program, outputOf);
}

function addRestoreAccept(program: Command, outputOf: (command: Command) => Output): void {
  const accept = withSlotFlags(
    program
      .command('restore')
      .description('after a restore, or when a database was put back')
      .command('accept')
      .description(
        'show what was lost and, with --reason, take the database as it is: of a stopped appliance',
      )
      .option('--reason <text>', 'why; kept in the ledger. Left out: only show'),
    'the keys',
  ).addHelpText(
    'after',
    `
A new branch of file numbers begins. Keys revoked since the backup work again: look through \`mintmark api-key list\` at once.

Examples:
  mintmark restore accept
  mintmark restore accept --reason "disk failed on 3 May, newest backup of 2 May"`,
  );
  accept.action(async (flags: SlotFlags & { reason?: string }) => {
    const out = outputOf(accept);
    const { acceptRestore, readLoss } = await import('../daemon/accept.ts');
    const done = await stopped(accept, { flags, out }, async (parts, authority) => {
      const loss = await readLoss(parts);
      const { reason } = flags;
      const branch = reason === undefined ? null : await acceptRestore(parts, { authority, reason });
      return { ...loss, branch };
    });
    out.result(done, () => describe(done));
  });
}

function describe({
  anchors,
  backup,
  branch,
  ...loss
}: LossReport & { readonly branch: string | null }): string {
  const shown = details({
    'keys and operators':
      'what was revoked or changed since then is as it was before: look through `mintmark api-key list`',
    backup:
      backup === null
        ? 'none: the database was put back'
        : `${backup.madeAt} (${String(backup.ageHours)} h old)`,
    'unknown since': loss.since,
    'entries here': loss.entries,
    'entries lost': loss.entriesLost ?? 'no anchor tells',
    anchors: anchors.map(({ path, says }) => `${path}: ${says}`),
  });
  return `${shown}\n${branch === null ? 'Nothing was changed. Give --reason to accept.' : `accepted; the new branch is ${branch}`}`;
}

function addInstanceAccept(program: Command, outputOf: (command: Command) => Output): void {
  const accept = withSlotFlags(
    program
      .command('instance')
      .description('which machine the appliance is')
      .command('accept')
      .description('this machine is the one that goes on: ends clone-suspect of a stopped appliance')
      .requiredOption('--reason <text>', 'why; kept in the ledger')
      .option('--moved', 'the machine it ran on before is gone or wiped'),
    'the keys',
  ).addHelpText(
    'after',
    `
Only on one machine. Two that go on issue files and give seats that the other does not know of: wipe the copy first.

Example:
  mintmark instance accept --moved --reason "new hardware, the old machine was wiped"`,
  );
  accept.action(async (flags: SlotFlags & { reason: string; moved?: boolean }) => {
    const out = outputOf(accept);
    const { acceptInstance } = await import('../daemon/accept.ts');
    const { reason, moved = false } = flags;
    const branch = await stopped(accept, { flags, out }, (parts, authority) =>
      acceptInstance(parts, { authority, reason, moved }),
    );
    out.result({ branch }, () => `accepted; the new branch is ${branch}`);
  });
}

async function stopped<T>(
  command: Command,
  { flags, out }: { readonly flags: SlotFlags; readonly out: Output },
  act: (parts: Parts, authority: Authority) => Promise<T>,
): Promise<T> {
  const { config } = await loadFor(command);
  const given = await unsealingIn(flags, out);
  const { whileStopped } = await import('../daemon/stopped.ts');
  const credentialsDirectory = process.env['CREDENTIALS_DIRECTORY'];
  const unsealing = given ?? {
    with: 'credential',
    path: config.custody.credential ?? undefined,
    credentialsDirectory,
  };
  return whileStopped({ config, unsealing }, surroundings(commandLog), act);
}
