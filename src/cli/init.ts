import { existsSync } from 'node:fs';
import { dataPaths } from '../storage/data-paths.ts';
import { type Command, Option } from 'commander';
import type { NewTenantChoices, Tier } from '../daemon.ts';
import type { Secret } from '../lib/secret.ts';
import { demandNewCredential } from './credential-place.ts';
import { CliError, EXIT } from './exit-code.ts';
import { commandLog, isTerminal, surroundings } from './process.ts';
import { demandPlaceFor } from './secret-file.ts';
import { configurationText, globalFlags, loadFor } from './settings.ts';
import { newPassphrase } from './new-passphrase.ts';
import { handOver, typedBack } from './shown-once.ts';
import { askPlain, details, type Output } from './terminal.ts';

const TIERS: readonly Tier[] = ['free', 'standard', 'premium', 'unlimited'];

interface InitFlags {
  readonly unattended?: boolean;
  readonly attended?: boolean;
  /** `--without-tenant`. */
  readonly withoutTenant?: boolean;
  readonly tenantName?: string;
  readonly tenantCode?: string;
  readonly tier: Tier;
  readonly credential?: string;
  readonly passphraseFile?: string;
  readonly secretOut?: string;
  readonly recoveryOut?: string;
  readonly custodian?: string;
  readonly module?: string;
  readonly token?: string;
  readonly pinSource?: string;
  /** `--no-backup <sentence>`; true without it. */
  readonly backup: true | string;
}

/** Adds `init`: makes an appliance in an empty data directory. */
export function addInit(program: Command, outputOf: (command: Command) => Output): void {
  const command = program
    .command('init')
    .description('make a new appliance: data directory, keys, first tenant, first API key')
    .option('--unattended', 'ask nothing; everything comes from flags and defaults')
    .option('--attended', 'no credential: after every start a person has to unseal it with a passphrase')
    .option(
      '--without-tenant',
      'make no tenant and no API key: the keys of the first one are made in a ceremony',
    )
    .option('--tenant-name <name>', 'name of the first tenant (default: Default)')
    .option('--tenant-code <code>', 'its short code, in URLs and files, for good (default: from the name)')
    .addOption(
      new Option('--tier <tier>', 'how much tenant and first key may ask for')
        .choices(TIERS)
        .default('standard'),
    )
    .option(
      '--credential <file>',
      'write the credential that opens the keys at start here (default: the configuration)',
    )
    .option('--passphrase-file <file>', 'also make a passphrase slot; - reads standard input')
    .option('--secret-out <file>', 'write the first API key to this new file (0600) instead of showing it')
    .option('--recovery-out <file>', 'write the recovery code to this new file (0600) instead of showing it')
    .addOption(
      new Option(
        '--custodian <kind>',
        'make signing keys in sealed files or in a token (default: the configuration)',
      ).choices(['file', 'pkcs11']),
    )
    .option('--module <file>', 'PKCS#11 module of the token, by its whole path')
    .option('--token <name>', 'PKCS#11 URI of the token (pkcs11:token=…;serial=…), or its label')
    .option('--pin-source <file>', 'file with the PIN of the token')
    .option(
      '--no-backup <sentence>',
      'keys in the token may sign although no second token has them; the sentence is told when it is wrong',
    )
    .addHelpText(
      'after',
      `
The data directory is that of the configuration ("mintmark config show"), or the one that --data-dir names.
What it makes is never overwritten: a directory that is not empty is refused.
The recovery code opens the appliance and all its backups when everything else is lost. Keep it on paper, elsewhere.

Examples:
  mintmark init
  mintmark init --unattended --secret-out first-key.txt --recovery-out recovery.txt
  mintmark init --attended --passphrase-file passphrase.txt
  mintmark init --custodian pkcs11 --module /usr/lib/softhsm/libsofthsm2.so --token mintmark --pin-source pin \\
    --no-backup 'if this token is lost, the keys in it are lost'`,
    );
  command.action(async (flags: InitFlags) => {
    await runInit(command, flags, outputOf(command));
  });
}

async function runInit(command: Command, flags: InitFlags, out: Output): Promise<void> {
  const { config, file: configuration } = await loadFor(command, custodianFlags(flags));
  refuseLeaks(flags);
  for (const file of [flags.recoveryOut, flags.secretOut]) if (file !== undefined) demandPlaceFor(file);
  const credentialPath = credentialOf(flags, config.custody.credential);
  await demandRoom(config.data.directory);
  if (credentialPath !== undefined) await demandNewCredential(credentialPath, config.data.directory);
  out.note(`making an appliance in ${config.data.directory} (${configurationText(configuration)})`);
  const tenant = flags.withoutTenant === true ? null : await tenantOf(flags);
  const passphrase = await passphraseOf(flags, out);
  const { initialise, initialiseWithoutTenant } = await import('../daemon.ts');
  const given = { config, passphrase, credentialPath, dev: false, withoutCopy: await withoutCopy(flags) };
  const around = surroundings(commandLog);
  const made =
    tenant === null
      ? { ...(await initialiseWithoutTenant(given, around)), rootFingerprint: null, secretKey: null }
      : await initialise({ ...given, tenant, tier: flags.tier }, around);
  handOver(made.recoveryCode, { what: 'recovery code', file: flags.recoveryOut, out });
  if (made.secretKey !== null)
    handOver(made.secretKey, { what: 'first API key (live, all scopes)', file: flags.secretOut, out });
  // Last: whoever ends the program here has seen everything that is shown once.
  if (flags.unattended !== true && flags.recoveryOut === undefined && process.stdin.isTTY)
    await confirmRecovery(made.recoveryCode, out);
  const facts = {
    appliance: made.applianceId,
    directory: config.data.directory,
    ...(tenant === null ? {} : { tenant: tenant.code, 'root fingerprint': made.rootFingerprint }),
    'ledger key': made.ledgerKey,
    credential: credentialPath ?? 'none: after every start it waits for `mintmark unseal`',
  };
  out.result(facts, () => `${details(facts)}\n\nStart it with: ${serveCommand(command, flags)}`);
  if (config.custody.custodian !== 'file') {
    out.warn('the keys are in the token alone: back it up by the means of its vendor, and try that backup');
  } else if (credentialPath !== undefined) {
    out.warn(
      `whoever can read ${credentialPath} and the data directory has the keys; keep the two apart in backups`,
    );
  }
}

/** Whether the consequences were typed. @throws Fault VALIDATION_FAILED when other words were */
async function withoutCopy({ backup }: InitFlags): Promise<boolean> {
  if (backup === true) return false;
  const { demandSentence } = await import('../custody/index.ts');
  demandSentence(backup);
  return true;
}

function custodianFlags({
  custodian,
  module,
  token,
  pinSource,
}: InitFlags): Record<string, string | undefined> {
  return {
    'custody.custodian': custodian,
    'pkcs11.module': module,
    'pkcs11.token': token,
    'pkcs11.pinSource': pinSource,
  };
}

/** With whatever of this command line says where things are: without it `serve` would look elsewhere. */
function serveCommand(command: Command, flags: InitFlags): string {
  const { config, dataDir, set = [] } = globalFlags(command);
  const own = Object.entries({ 'custody.credential': flags.credential, ...custodianFlags(flags) });
  const sets = own.flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
  const words = [
    ...(config === undefined ? [] : ['--config', config]),
    ...(dataDir === undefined ? [] : ['--data-dir', dataDir]),
    ...[...set, ...sets].flatMap((one) => ['--set', one]),
  ];
  const quoted = words.map((word) =>
    /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`,
  );
  return ['mintmark serve', ...quoted].join(' ');
}

/** Before a question is asked: who cannot make an appliance here has nothing to answer. @throws Fault, CliError */
async function demandRoom(directory: string): Promise<void> {
  if (!existsSync(directory)) return;
  const { demandEmpty, demandPrivate } = await import('../storage/directory-checks.ts');
  demandPrivate(directory);
  if (existsSync(dataPaths(directory).database)) {
    throw new CliError(
      EXIT.refused,
      `DATA_DIRECTORY_INVALID: an appliance is in ${directory} already, and nothing is overwritten`,
      'Run it with `mintmark serve`, or make another one in another directory, with --data-dir.',
    );
  }
  demandEmpty(directory);
}

/** These two open everything and are made once: unlike other secrets they never go into a pipe, whoever asks. */
function refuseLeaks({ secretOut, recoveryOut }: InitFlags): void {
  if (secretOut !== undefined && secretOut === recoveryOut) {
    throw new CliError(EXIT.usage, '--secret-out and --recovery-out name the same file', 'Name two files.');
  }
  if (isTerminal() || (secretOut !== undefined && recoveryOut !== undefined)) return;
  throw new CliError(
    EXIT.usage,
    'secrets are shown once and standard output is no terminal',
    'Name two new files, with --secret-out and --recovery-out.',
  );
}

async function tenantOf(flags: InitFlags): Promise<NewTenantChoices> {
  const asks = flags.unattended !== true && process.stdin.isTTY;
  const ask = async (question: string, byDefault: string): Promise<string> =>
    (asks ? await askPlain(question, byDefault) : null) ?? byDefault;
  const name = flags.tenantName ?? (await ask('Name of the first tenant', 'Default'));
  const proposed =
    name
      .normalize('NFKD')
      .replaceAll(/\p{M}/gu, '')
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, '-')
      .replaceAll(/^-+|-+$/g, '') || 'default';
  const code = flags.tenantCode ?? (await ask('Its short code, for good', proposed));
  return { name, code };
}

/** @throws CliError when both ways of starting are asked for */
function credentialOf(flags: InitFlags, configured: string | null): string | undefined {
  if (flags.attended !== true) return flags.credential ?? configured ?? undefined;
  if (flags.credential === undefined) return undefined;
  throw new CliError(
    EXIT.usage,
    '--attended and --credential contradict each other',
    'Choose one of the two.',
  );
}

/** The recovery code is for the day on which nothing else opens: whoever comes after every power cut has a passphrase. */
async function passphraseOf(flags: InitFlags, out: Output): Promise<Secret | undefined> {
  if (flags.attended === true) await confirmAttended(flags);
  const wanted = flags.attended === true || flags.passphraseFile !== undefined;
  return wanted ? newPassphrase(flags.passphraseFile, out) : undefined;
}

async function confirmAttended({ unattended }: InitFlags): Promise<void> {
  if (unattended === true || !process.stdin.isTTY) return;
  const question = 'After every power cut a person must come and type. Is that what you want? Type yes';
  if ((await askPlain(question, 'no')) === 'yes') return;
  throw new CliError(EXIT.refused, 'nothing was made', 'Leave --attended out, and it starts by itself.');
}

async function confirmRecovery(code: Secret, out: Output): Promise<void> {
  if (await typedBack(code, 'recovery code')) return;
  out.warn('the recovery code was not typed back: see that the one above is on paper');
}
