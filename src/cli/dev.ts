import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import type { DevLine } from '../daemon/dev.ts';
import { CliError, EXIT } from './exit-code.ts';
import { daemonLog, endProcess, stopSignal, surroundings } from './process.ts';
import { loadFor } from './settings.ts';
import { details, type Output } from './terminal.ts';

interface DevFlags {
  readonly dir?: string;
  readonly port: string;
  readonly rm?: boolean;
}

/** Adds `dev`: a throw-away appliance. */
export function addDev(program: Command, outputOf: (command: Command) => Output): void {
  const command = program
    .command('dev')
    .description(
      'a throw-away appliance for trying and testing; its files say so, and release builds refuse them',
    )
    .option('--dir <directory>', 'keep it in this directory (default: a temporary one, removed at the end)')
    .option('--port <port>', 'port of the API; 0 lets the system choose', '0')
    .option('--rm', 'remove the directory at the end even though it was named')
    .addHelpText(
      'after',
      `
Prints one line when it is ready (with --json one line of JSON with address and keys) and serves until SIGTERM.
Loopback only. A directory that it made before is opened again, with the same keys.`,
    );
  command.action(async (flags: DevFlags) => {
    await runDev(command, flags, outputOf(command));
  });
}

async function runDev(command: Command, flags: DevFlags, out: Output): Promise<void> {
  refuseSupervised();
  if (process.getuid?.() === 0) out.warn('running as root; a development appliance needs no rights');
  if (!/^\d{1,5}$/.test(flags.port)) throw new CliError(EXIT.usage, '--port takes a number');
  const { openDevAppliance } = await import('../daemon/dev.ts');
  const root = flags.dir ?? mkdtempSync(join(tmpdir(), 'mintmark-dev-'));
  const log = daemonLog('error');
  const { config } = await loadFor(command);
  const opening = { root, port: Number(flags.port), config };
  const appliance = await openDevAppliance(opening, surroundings(log));
  const { line } = appliance;
  // Before anybody learns that it serves: whoever reads the line may end it at once.
  const stopped = stopSignal();
  // Programs wait for this line: it is the only one, whole, and the last thing before serving.
  process.stdout.write(out.json ? `${JSON.stringify(line)}\n` : `${describe(line)}\n`);
  await stopped;
  await appliance.stop();
  if (flags.dir === undefined || flags.rm === true) rmSync(root, { recursive: true, force: true });
  await endProcess(log);
}

/** A service manager means to run this for good; a throw-away appliance must never be what it runs. */
function refuseSupervised(): void {
  if (process.env['NOTIFY_SOCKET'] === undefined) return;
  throw new CliError(
    EXIT.usage,
    'a development appliance does not run under a service manager',
    'Use `mintmark serve`.',
  );
}

function describe(line: DevLine): string {
  const facts = {
    address: line.url,
    directory: line.dir,
    tenant: line.tenant,
    'secret key (live)': line.live.secretKey,
    'publishable key (live)': line.live.publishableKey,
    'public key (live)': line.live.publicKey.hex,
    'secret key (test)': line.test.secretKey,
  };
  return `${details(facts)}\nA development appliance: nothing of it may go to production. Ctrl-C ends it.`;
}
