import type { Command } from 'commander';
import type { Config } from '../config/index.ts';
import type { Unsealing } from '../custody/index.ts';
import { daemonLog, endProcess, stopSignal, surroundings } from './process.ts';
import { loadFor } from './settings.ts';
import { type Output, readSecret } from './terminal.ts';

interface ServeFlags {
  readonly passphraseFile?: string;
  readonly recoveryFile?: string;
}

/** Adds `serve`: runs the appliance until SIGTERM. */
export function addServe(program: Command, outputOf: (command: Command) => Output): void {
  const command = program
    .command('serve')
    .description('run the appliance; ends in order on SIGTERM or SIGINT')
    .option(
      '--passphrase-file <file>',
      'open the keys with the passphrase in this file; - reads standard input',
    )
    .option('--recovery-file <file>', 'open the keys with the recovery code in this file')
    .addHelpText(
      'after',
      `
An appliance that nobody opens at its start (no credential, or somebody sealed it) serves all the same, and answers that it is
sealed: see \`mintmark unseal\`.
Logs are JSON lines on standard output; docs/operations.md documents the fields.`,
    );
  command.action(async (flags: ServeFlags) => {
    const { startDaemon } = await import('../daemon.ts');
    const { config, file, changed } = await loadFor(command);
    const unsealing = await unsealingOf(flags, config, outputOf(command));
    const log = daemonLog(config.log.level);
    if (process.getuid?.() === 0) log.warn('running as root; an appliance needs no rights but its own user');
    const daemon = await startDaemon({ config, unsealing, dev: false, changed }, surroundings(log));
    const stopped = stopSignal();
    log.info('serving', { ...daemon.places, sealed: daemon.sealed, configuration: file, changed });
    const signal = await stopped;
    log.info('stopping', { signal });
    await daemon.stop();
    log.info('stopped');
    await endProcess(log);
  });
}

/** Null: no credential is configured; an appliance that nobody opened waits sealed. */
async function unsealingOf(flags: ServeFlags, config: Config, out: Output): Promise<Unsealing | null> {
  if (flags.passphraseFile !== undefined) {
    const passphrase = await readSecret({ file: flags.passphraseFile, prompt: 'passphrase' }, out);
    if (passphrase !== null) return { with: 'passphrase', passphrase };
  }
  if (flags.recoveryFile !== undefined) {
    const code = await readSecret({ file: flags.recoveryFile, prompt: 'recovery code' }, out);
    if (code !== null) return { with: 'recovery', code };
  }
  const credentialsDirectory = process.env['CREDENTIALS_DIRECTORY'];
  if (credentialsDirectory === undefined && config.custody.credential === null) return null;
  return { with: 'credential', path: config.custody.credential ?? undefined, credentialsDirectory };
}
