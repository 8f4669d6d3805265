import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { Probe, ProbedToken } from '../custody/index.ts';
import { present } from '../lib/invariant.ts';
import type { CeremonyResult } from '../daemon/ceremony.ts';
import type { CopySeen } from '../daemon/token-copies.ts';
import { CliError, EXIT } from './exit-code.ts';
import { column, type WithClient } from './resource.ts';
import { demandPlaceFor, writeNewFile } from './secret-file.ts';
import { loadFor } from './settings.ts';
import { details, type Output, table } from './terminal.ts';

interface ProbeFlags {
  readonly module?: string;
  readonly token?: string;
  readonly pinSource?: string;
}

/** Adds `hsm probe|copies|replace|ceremony`. */
export function addHsm(
  program: Command,
  {
    outputOf,
    withClient,
  }: { readonly outputOf: (command: Command) => Output; readonly withClient: WithClient },
): void {
  const hsm = program.command('hsm').description('hardware security modules');
  addProbe(hsm, outputOf);
  addCopies(hsm, withClient);
  addReplace(hsm, withClient);
  addCeremony(hsm, withClient);
}

function addProbe(hsm: Command, outputOf: (command: Command) => Output): void {
  const command = hsm
    .command('probe')
    .description(
      'what a PKCS#11 module offers: tokens, what Mintmark would use each for and, with a PIN, how fast',
    )
    .option('--module <file>', 'PKCS#11 module, by its whole path (default: pkcs11.module)')
    .option(
      '--token <name>',
      'with --pin-source: the token to sign with, by URI or label (default: pkcs11.token)',
    )
    .option(
      '--pin-source <file>',
      'log in with the PIN in this file, once, and measure (default: do not log in)',
    )
    .addHelpText(
      'after',
      `
With a PIN it makes a key of each algorithm in the token, signs with it for a second, and removes it again.

Examples:
  mintmark hsm probe --module /usr/lib/softhsm/libsofthsm2.so
  mintmark hsm probe --pin-source /etc/mintmark/credentials/pin`,
    );
  command.action(async (flags: ProbeFlags) => {
    const out = outputOf(command);
    const found = await probeAs(command, flags);
    out.result(found, () => textOf(found));
  });
}

function addCopies(hsm: Command, withClient: WithClient): void {
  const command = hsm
    .command('copies')
    .description('have the copy of every key in the token sign on the second token (pkcs11.copyToken)')
    .option(
      '--no-backup <sentence>',
      'keys without a copy may sign all the same; the sentence is told when it is wrong',
    )
    .addHelpText(
      'after',
      `
The vendor's tool makes the copies; this proves them, one signature each, and says so in "mintmark keys list".

Examples:
  mintmark hsm copies
  mintmark hsm copies --no-backup 'if this token is lost, the keys in it are lost'`,
    );
  command.action(({ backup }: { readonly backup: true | string }) =>
    withClient(command, async ({ client, out }) => {
      const body = { withoutCopy: backup === true ? null : backup };
      const data = await client.data({ method: 'POST', path: '/system/hsm/copies', body });
      out.result({ data }, () => copiesText(data as CopySeen[])); // the route's answer
    }),
  );
}

function addReplace(hsm: Command, withClient: WithClient): void {
  const command = hsm
    .command('replace')
    .description('the token is dead: sign with the copies on the second token from now on')
    .addHelpText(
      'after',
      `
Each copy signs first and is compared with the stored public key. Nothing has to be restarted. Afterwards make the second
token pkcs11.token in the configuration, and get another second one.`,
    );
  command.action(() =>
    withClient(command, async ({ client, out }) => {
      const data = await client.data({ method: 'POST', path: '/system/hsm/replace', body: {} });
      out.result({ data }, () => copiesText(data as CopySeen[])); // the route's answer
      out.note('now make the second token pkcs11.token in the configuration');
    }),
  );
}

interface CeremonyFlags {
  readonly ceremony: string;
  readonly dryRun?: boolean;
  readonly recordOut?: string;
}

/** `--config` names the configuration of the program, everywhere. */
function addCeremony(hsm: Command, withClient: WithClient): void {
  const command = hsm
    .command('ceremony')
    .description('make the keys of a new tenant in the token, as a reviewed file says (docs/hsm/ceremony.md)')
    .argument('<file>', 'the ceremony, in TOML')
    .option('--dry-run', 'print what would be done and the digest of the file, and do nothing')
    .option('--record-out <file>', 'write the signed record to this new file')
    .addHelpText(
      'after',
      `
A run that is ended leaves keys in the token that nothing names; the next run of the same file goes on with them. Without a
copy of each key on the second token it makes the keys and waits: copy them, and run it again.

Examples:
  mintmark hsm ceremony ceremony.toml --dry-run
  mintmark hsm ceremony ceremony.toml --record-out ceremony.jws`,
    );
  command.action((path: string, flags: Omit<CeremonyFlags, 'ceremony'>) =>
    holdAs(command, withClient, { ...flags, ceremony: path }),
  );
}

async function holdAs(command: Command, withClient: WithClient, flags: CeremonyFlags): Promise<void> {
  const { ceremony, dryRun = false, recordOut } = flags;
  if (recordOut !== undefined) demandPlaceFor(recordOut);
  const file = readReviewed(ceremony);
  await withClient(command, async ({ client, out }) => {
    const body = { file, dryRun };
    const data = await client.data({ method: 'POST', path: '/system/hsm/ceremonies', body });
    const result = data as CeremonyResult; // the route's answer
    if (result.record !== null && recordOut !== undefined)
      writeNewFile(recordOut, `${result.record}\n`, PUBLIC);
    out.result({ data: result }, () => ceremonyText(result));
    if (result.state !== 'waiting') return;
    throw new CliError(
      EXIT.refused,
      'no key was taken into use: the second token does not hold all of them',
      'Copy them with the tool of the vendor, then run the same file again.',
    );
  });
}

function readReviewed(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : '';
    throw new CliError(
      EXIT.usage,
      `the ceremony ${path} cannot be read: ${why}`,
      'Name the file that was reviewed.',
    );
  }
}

/** The record names people; it is for everybody who checks the keys all the same. */
const PUBLIC = 0o644;

function ceremonyText({ state, digest, token, steps, keys, record }: CeremonyResult): string {
  const head = details({
    state,
    'digest of the file (SHA-256)': digest,
    module: token.module,
    'module (SHA-256)': token.moduleSha256,
  });
  const does = state === 'planned' ? 'would' : 'did';
  const numbered = steps.map((step, index) => `${String(index + 1)}. ${step}`);
  const plan = state === 'waiting' ? [] : [`It ${does}:`, ...numbered];
  const rows = keys.map(({ purpose, environment, kid, madeNow, attributes, copy }) => {
    const said = Object.entries(attributes).map(
      ([name, value]) => `${name}=${value === null ? '?' : String(value)}`,
    );
    return { purpose, environment, kid, made: madeNow ? 'now' : 'before', copy, attributes: said.join(' ') };
  });
  const made = rows.length === 0 ? [] : [table(CEREMONY_COLUMNS, rows)];
  return [head, ...plan, ...made, ...(record === null ? [] : ['The signed record:', record])].join('\n');
}

const CEREMONY_COLUMNS = [
  column('KID', 'kid'),
  column('PURPOSE', 'purpose'),
  column('ENVIRONMENT', 'environment'),
  column('MADE', 'made'),
  column('COPY', 'copy'),
  column('THE TOKEN SAYS', 'attributes'),
];

const COPY_COLUMNS = [
  column('KID', 'kid'),
  column('PURPOSE', 'purpose'),
  column('COPY', 'copy'),
  column('PROBLEM', 'problem'),
];

function copiesText(seen: readonly CopySeen[]): string {
  if (seen.length === 0) return 'No signing key is in a token.';
  return table(
    COPY_COLUMNS,
    seen.map((one) => ({ ...one })),
  );
}

async function probeAs(command: Command, { module, token, pinSource }: ProbeFlags): Promise<Probe> {
  const own = { 'pkcs11.module': module, 'pkcs11.token': token, 'pkcs11.pinSource': pinSource };
  const { config } = await loadFor(command, own);
  if (config.pkcs11.module === null) {
    throw new CliError(EXIT.usage, 'no module is named', 'Give --module, or set pkcs11.module.');
  }
  if (pinSource !== undefined && config.pkcs11.token === null) {
    throw new CliError(EXIT.usage, 'a PIN is for one token', 'Give --token, or set pkcs11.token.');
  }
  const { probe, tokenSettings } = await import('../custody/index.ts');
  const { systemClock } = await import('../lib/clock.ts');
  const { systemRandom } = await import('../lib/random.ts');
  // Without a PIN every token is looked into; what stands here for one is asked of none.
  const anyToken = { token: config.pkcs11.token ?? 'any', pinSource: config.pkcs11.pinSource ?? '/none' };
  const settings = present(tokenSettings({ ...config.pkcs11, ...anyToken }), 'a module is named');
  const login = pinSource === undefined ? null : settings;
  return probe({ ...settings, login }, { clock: systemClock, random: systemRandom });
}

function textOf({ module, library, tokens, signing }: Probe): string {
  const parts = [details({ module, library, tokens: tokens.length }), ...tokens.map(tokenText)];
  for (const { algorithm, perSecond, medianMs } of signing ?? []) {
    parts.push(`signed with ${algorithm}: ${perSecond} a second, one after the other; median ${medianMs} ms`);
  }
  if (signing === null) parts.push('Not logged in: name a PIN with --pin-source to have it sign.');
  return parts.join('\n\n');
}

function tokenText({ uri, algorithms, mechanisms, warnings }: ProbedToken): string {
  const [best, ...others] = algorithms;
  const use =
    best === undefined
      ? 'nothing'
      : `signing keys, ${best}${others.length === 0 ? '' : ` (also ${others.join(', ')})`}`;
  const lines = details({ token: uri, 'would be used for': use, mechanisms: mechanisms.length });
  return [lines, ...warnings.map((warning) => `warning: ${warning}`)].join('\n');
}
