import { join } from 'node:path';
import { Command, CommanderError, Option } from 'commander';
import { Fault, FAULTS } from '../faults.ts';
import { ApiClient, ApiRefusal, type Connection } from './api-client.ts';
import { apiKeyResource } from './api-key.ts';
import { addAnalytics } from './analytics.ts';
import { addConfig } from './config.ts';
import { inCommandWords } from './command-words.ts';
import { entitlementResource } from './entitlement.ts';
import { CliError, EXIT, type ExitCode } from './exit-code.ts';
import { addFingerprint } from './fingerprint.ts';
import { withDashesKept } from './leading-dash.ts';
import { addLicenseCommands } from './license.ts';
import { addMachineCommands } from './machine.ts';
import { policyResource } from './policy.ts';
import { productResource } from './product.ts';
import { requiredOptionsOf } from './required-options.ts';
import { addResource, type WithClient } from './resource.ts';
import { collect, configurationText, globalFlags, loadFor } from './settings.ts';
import { sweepResource } from './sweep.ts';
import { tenantResource } from './tenant.ts';
import { harmless, type Output, terminalOutput } from './terminal.ts';
import { addVerify } from './verify.ts';
import { usageResource } from './usage.ts';

/** Commands that need the opened parts of an appliance; given by main.ts, which alone may import the daemon. */
export type AddCommands = (
  program: Command,
  outputOf: (command: Command) => Output,
  withClient: WithClient,
) => void;

const HELP = `
Begin:
  mintmark dev                     a throw-away appliance for trying things out
  mintmark init && mintmark serve  a real one

Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 a check said no, 4 no appliance answered, 70 defect.
Documentation: docs/cli.md`;

/** The whole command line. */
export function buildProgram(addMore: AddCommands): Command {
  const program = new Command('mintmark')
    .description('issues and validates software licences inside networks that have no way out')
    .option('--config <file>', 'configuration file (MINTMARK_CONFIG)')
    .option('--data-dir <directory>', 'data directory, instead of the one in the configuration')
    .option('--set <name=value>', 'override one setting, e.g. --set http.port=8000; repeatable', collect)
    .option('--json', 'print data for programs')
    .option('-V, --version', 'print the versions of Mintmark, Node and SQLite')
    .option(
      '--socket <path>',
      'operator socket of the appliance (default: run/operator.sock in the data directory)',
    )
    .addOption(
      new Option('--url <url>', 'talk to this address instead of the local socket').env('MINTMARK_URL'),
    )
    .addOption(new Option('--api-key-file <file>', 'API key for --url').env('MINTMARK_API_KEY_FILE'))
    .addOption(
      new Option('--tenant <code>', 'tenant to act in, when there are several').env('MINTMARK_TENANT'),
    )
    .addOption(new Option('--environment <name>', 'live (default) or test').env('MINTMARK_ENVIRONMENT'))
    .addHelpText('after', HELP)
    .showHelpAfterError('(see --help)')
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false, minWidthToWrap: 30 })
    .exitOverride();
  program.hook('preAction', async (_program, command) => {
    if (command.optsWithGlobals<{ version?: boolean }>().version === true)
      throw new CliError(await printVersion(), '');
    demandRequired(command);
  });
  const outputOf = (command: Command): Output => terminalOutput(globalFlags(command).json === true);
  const withClient = connecting(outputOf);
  addMore(program, outputOf, withClient);
  addVerify(program, outputOf);
  addFingerprint(program, outputOf);
  addConfig(program, outputOf);
  for (const resource of [productResource, policyResource, entitlementResource]) {
    addResource(program, resource, withClient);
  }
  addLicenseCommands(program, withClient);
  addMachineCommands(program, withClient);
  addAnalytics(program, withClient);
  for (const resource of [apiKeyResource, usageResource, tenantResource, sweepResource]) {
    addResource(program, resource, withClient);
  }
  for (const group of program.commands) pointToGlobalOptions(group);
  const demandRequired = requiredOptionsOf(program);
  return program;
}

/** Help of a command shows its own options alone; this says where the others are. */
function pointToGlobalOptions(command: Command): void {
  for (const below of command.commands) pointToGlobalOptions(below);
  if (command.commands.length > 0) return;
  command.addHelpText(
    'after',
    '\nOptions of every command (which appliance, configuration, --json): mintmark --help',
  );
}

function connecting(outputOf: (command: Command) => Output): WithClient {
  return async (command, body) => {
    const client = new ApiClient(await connectionOf(command));
    try {
      await body({ client, out: outputOf(command) });
    } catch (error) {
      throw error instanceof ApiRefusal ? inCommandWords(error, command) : error;
    } finally {
      await client.close();
    }
  };
}

async function connectionOf(command: Command): Promise<Connection> {
  const { url, apiKeyFile, socket, tenant, environment } = globalFlags(command);
  demandEnvironment(environment);
  if (url !== undefined) return { kind: 'url', url, keyFile: apiKeyFile, tenant, environment };
  if (socket !== undefined) return { kind: 'socket', path: socket, named: '--socket', tenant, environment };
  const { config, file } = await loadFor(command);
  const path = join(config.data.directory, 'run', 'operator.sock');
  return { kind: 'socket', path, named: configurationText(file), tenant, environment };
}

function demandEnvironment(name: string | undefined): void {
  if (name === undefined || name === 'live' || name === 'test') return;
  throw new CliError(EXIT.usage, `--environment ${name}: there are live and test`);
}

const VERSION_FLAGS: ReadonlySet<string> = new Set(['-V', '--version']);

async function printVersion(): Promise<ExitCode> {
  const { versionText } = await import('./version.ts');
  process.stdout.write(`${await versionText()}\n`);
  return EXIT.ok;
}

/** Runs a command line and says how it ended; everything that goes wrong is printed with its remedy. */
export async function runProgram(program: Command, argv: readonly string[]): Promise<ExitCode> {
  try {
    // Behind a command it is an option like the others; alone there is no command that could look at it.
    if (VERSION_FLAGS.has(argv[0] ?? '')) return await printVersion();
    await program.parseAsync(withDashesKept(program, argv), { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    return report(error);
  }
}

function report(error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof CliError) {
    if (error.message !== '') complain(error.message, error.remedy);
    return error.exitCode;
  }
  if (error instanceof Fault) {
    const several = error.errors.map(({ path, message }) => `\n  ${path}: ${message}`);
    const what = several.length > 1 ? `${FAULTS[error.code].title}${several.join('')}` : error.message;
    complain(`${error.code}: ${what}`, FAULTS[error.code].remedy);
    return EXIT.refused;
  }
  if (isSystemError(error)) {
    const reason = SYSTEM_ERRORS[error.code] ?? error.code;
    complain(`${error.path ?? error.syscall}: ${reason}`, 'Check the path and its permissions.');
    return EXIT.refused;
  }
  process.stderr.write(
    `mintmark: this is a defect: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  return EXIT.internal;
}

/** What the operating system says of a path, in words (errno(3)). */
const SYSTEM_ERRORS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied (EACCES)',
  EEXIST: 'exists already (EEXIST)',
  EISDIR: 'is a directory (EISDIR)',
  ENOENT: 'no such file or directory (ENOENT)',
  ENOSPC: 'no space left on the disk (ENOSPC)',
  ENOTDIR: 'not a directory (ENOTDIR)',
  EROFS: 'the file system is read-only (EROFS)',
};

/** What the operating system refuses about a file somebody named is not a defect of ours. */
function isSystemError(error: unknown): error is Error & { code: string; syscall: string; path?: string } {
  return error instanceof Error && 'syscall' in error && 'code' in error && 'path' in error;
}

function complain(message: string, remedy: string): void {
  const lines = message.split('\n').map(harmless).join('\n');
  process.stderr.write(`mintmark: ${lines}\n${remedy === '' ? '' : `  ${harmless(remedy)}\n`}`);
}
