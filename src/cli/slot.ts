import { rmSync } from 'node:fs';
import { type Command, Option } from 'commander';
import type { SlotInfo } from '../custody/index.ts';
import type { SlotSecretText } from '../daemon/slot-wire.ts';
import { systemRandom } from '../lib/random.ts';
import type { Secret } from '../lib/secret.ts';
import { demandNewCredential } from './credential-place.ts';
import { CliError, EXIT } from './exit-code.ts';
import { newPassphrase } from './new-passphrase.ts';
import { column, type WithClient } from './resource.ts';
import { demandPlaceFor } from './secret-file.ts';
import { loadFor } from './settings.ts';
import { handOver, typedBack } from './shown-once.ts';
import { askFor, secretText, type SlotFlags, unsealingIn, withSlotFlags } from './slot-flags.ts';
import { type Output, table } from './terminal.ts';

const KINDS = ['passphrase', 'credential', 'recovery', 'shares'] as const;
type Kind = (typeof KINDS)[number];

interface AddFlags {
  readonly name?: string;
  readonly passphraseFile?: string;
  readonly generate?: boolean;
  readonly credential?: string;
  readonly secretOut?: string;
  readonly of?: string;
}

/** A secret to be sent, and what to take back when it is refused. */
interface Made {
  readonly secret: SlotSecretText;
  readonly takeBack?: () => void;
}

const COLUMNS = [
  column('NAME', 'name'),
  {
    title: 'KIND',
    value: (row: Readonly<Record<string, unknown>>) => (row['damaged'] === true ? 'DAMAGED' : row['kind']),
  },
  column('CREATED', 'createdAt'),
];

/** Adds `keys slot list|add|remove|test` to `keys`. */
export function addSlotCommands(keys: Command, withClient: WithClient): void {
  const group = keys.command('slot').description('what opens the keys of the appliance: any one slot does');
  const list = group.command('list').description('every slot and its kind');
  list.action(() =>
    withClient(list, async ({ client, out }) => {
      const data = (await client.data({ method: 'GET', path: '/system/slots' })) as SlotInfo[]; // the route's answer
      out.result({ data }, () =>
        table(
          COLUMNS,
          data.map((slot) => ({ ...slot })),
        ),
      );
    }),
  );
  addAdd(group, withClient);
  addRemove(group, withClient);
  addTest(group, withClient);
}

function addAdd(group: Command, withClient: WithClient): void {
  const add = group
    .command('add')
    .description('add a slot; everything there is opens with it, and nothing is encrypted anew')
    .argument('<kind>', `what it is opened with: ${KINDS.join(', ')}`)
    .option('--name <name>', 'name of the slot (default: its kind)')
    .option(
      '--passphrase-file <file>',
      'passphrase: read it from here; - reads standard input (default: ask)',
    )
    .option('--generate', 'passphrase: make one of seven words')
    .option('--of <k/n>', 'shares: how many of how many open it, e.g. 2/3')
    .option('--credential <file>', 'credential: write the key to this new file, outside the data directory')
    .addOption(
      new Option('--secret-out <file>', 'write what is made to this new file (0600) instead of showing it'),
    )
    .addHelpText(
      'after',
      `
A recovery code is shown once and has to be typed back before the slot is made; so is each share. With --secret-out shares go into
files of their own: <file>.1, <file>.2 and so on.

Examples:
  mintmark keys slot add passphrase
  mintmark keys slot add recovery --name recovery-safe
  mintmark keys slot add shares --of 2/3
  mintmark keys slot add credential --credential /etc/mintmark/credentials/kek`,
    );
  add.action((kind: string, flags: AddFlags) =>
    withClient(add, async ({ client, out }) => {
      const { secret, takeBack } = await makeSecret(add, { kind: kindOf(kind), flags, out });
      try {
        const body = { secret, ...(flags.name === undefined ? {} : { name: flags.name }) };
        const data = (await client.data({ method: 'POST', path: '/system/slots', body })) as SlotInfo; // the route's answer
        out.result({ data }, () => `added slot ${data.name}`);
      } catch (error) {
        takeBack?.();
        throw error;
      }
    }),
  );
}

function addRemove(group: Command, withClient: WithClient): void {
  const remove = group
    .command('remove')
    .description('remove a slot; the last one that recovers stays')
    .argument('<name>', 'name of the slot: `mintmark keys slot list` shows it')
    .addHelpText('after', '\nExample:\n  mintmark keys slot remove passphrase');
  remove.action((name: string) =>
    withClient(remove, async ({ client, out }) => {
      const data = await client.data({ method: 'DELETE', path: `/system/slots/${encodeURIComponent(name)}` });
      out.result({ data }, () => `removed slot ${name}`);
      out.warn(
        'backups made until now still open with it; if its secret is known to others, run `mintmark rekey`',
      );
    }),
  );
}

function addTest(group: Command, withClient: WithClient): void {
  const test = withSlotFlags(
    group
      .command('test')
      .description('prove that a secret opens a slot')
      .argument('<name>', 'name of the slot: `mintmark keys slot list` shows it'),
    'it',
  ).addHelpText(
    'after',
    `
The secret is asked for when no file is named.
Exit codes: 0 it opens the slot, 3 it does not, 1 the slot is damaged or not there.

Example:
  mintmark keys slot test recovery`,
  );
  test.action((name: string, flags: SlotFlags) =>
    withClient(test, async ({ client, out }) => {
      const slots = (await client.data({ method: 'GET', path: '/system/slots' })) as SlotInfo[]; // the route's answer
      const slot = slots.find((one) => one.name === name);
      const secret = await secretFor(test, { slot, flags, out });
      const path = `/system/slots/${encodeURIComponent(name)}/test`;
      const data = await judged(() => client.data({ method: 'POST', path, body: { secret } }));
      out.result({ data }, () => `the secret opens slot ${name}`);
    }),
  );
}

/** A secret that does not open the slot is a check that says no. */
async function judged<T>(check: () => Promise<T>): Promise<T> {
  try {
    return await check();
  } catch (error) {
    const isWrong = error instanceof CliError && 'code' in error && error.code === 'SLOT_SECRET_WRONG';
    throw isWrong ? new CliError(EXIT.invalid, error.message, error.remedy) : error;
  }
}

async function secretFor(
  command: Command,
  given: { readonly slot: SlotInfo | undefined; readonly flags: SlotFlags; readonly out: Output },
): Promise<SlotSecretText> {
  const { slot, flags, out } = given;
  const kind = slot === undefined || slot.damaged ? 'recovery' : slot.kind;
  const path = (await loadFor(command)).config.custody.credential ?? undefined;
  const unsealing =
    (await unsealingIn(flags, out)) ??
    (kind === 'credential' ? { with: kind, path } : await askFor(kind, out));
  if (unsealing !== null) return secretText(unsealing);
  throw new CliError(
    EXIT.usage,
    'no secret is given',
    'Give --recovery-file, --passphrase-file or --credential-file.',
  );
}

function kindOf(text: string): Kind {
  const kind = KINDS.find((one) => one === text);
  if (kind !== undefined) return kind;
  throw new CliError(EXIT.usage, `there is no slot of kind ${text}`, `Kinds are ${KINDS.join(', ')}.`);
}

function makeSecret(
  command: Command,
  { kind, flags, out }: { readonly kind: Kind; readonly flags: AddFlags; readonly out: Output },
): Promise<Made> {
  if (kind === 'credential') return newCredential(command, flags, out);
  if (kind === 'shares') return newShares(flags, out);
  return kind === 'recovery' ? newRecoveryCode(flags, out) : makePassphrase(flags, out);
}

async function newCredential(command: Command, flags: AddFlags, out: Output): Promise<Made> {
  const { credential: path } = flags;
  if (path === undefined) {
    throw new CliError(EXIT.usage, 'no file for the credential is named', 'Give --credential <file>.');
  }
  const { config } = await loadFor(command);
  await demandNewCredential(path, config.data.directory);
  const { writeCredential } = await import('../custody/index.ts');
  const key = writeCredential(path, config.data.directory, systemRandom);
  out.note(`credential: written to ${path}`);
  return {
    secret: { kind: 'credential', key: key.expose().toString('base64') },
    takeBack: () => {
      rmSync(path, { force: true });
    },
  };
}

/** On paper before the slot is made: one that nobody has would only look like a way to recover. */
async function newRecoveryCode(flags: AddFlags, out: Output): Promise<Made> {
  const { generateRecoveryCode } = await import('../custody/index.ts');
  const code = generateRecoveryCode(systemRandom);
  await show(code, { what: 'recovery code', flags, out });
  return { secret: { kind: 'recovery', code: code.expose() }, ...removing(flags.secretOut) };
}

/** Each for somebody else: one after the other. */
async function newShares(flags: AddFlags, out: Output): Promise<Made> {
  const [, threshold, count] = /^(\d{1,2})\/(\d{1,2})$/.exec(flags.of ?? '') ?? [];
  if (threshold === undefined || count === undefined) {
    throw new CliError(
      EXIT.usage,
      'how many shares there are is not said',
      'Give --of <k/n>, e.g. --of 2/3.',
    );
  }
  const { makeShares } = await import('../custody/index.ts');
  const shares = await makeShares(systemRandom, { threshold: Number(threshold), count: Number(count) });
  const files = shares.map((_, at) =>
    flags.secretOut === undefined ? undefined : `${flags.secretOut}.${String(at + 1)}`,
  );
  for (const file of files) if (file !== undefined) demandPlaceFor(file);
  for (const [at, share] of shares.entries()) {
    const what = `share ${String(at + 1)} of ${count}`;
    await show(share, { what, flags: { secretOut: files[at] }, out });
  }
  return {
    secret: { kind: 'shares', shares: shares.map((share) => share.expose()) },
    takeBack: () => {
      for (const file of files) if (file !== undefined) rmSync(file, { force: true });
    },
  };
}

async function makePassphrase(flags: AddFlags, out: Output): Promise<Made> {
  if (flags.generate !== true) {
    const chosen = await newPassphrase(flags.passphraseFile, out);
    return { secret: { kind: 'passphrase', passphrase: chosen.expose() } };
  }
  const { generatePassphrase } = await import('../custody/index.ts');
  const made = generatePassphrase(systemRandom);
  await show(made, { what: 'passphrase', flags, out });
  return { secret: { kind: 'passphrase', passphrase: made.expose() }, ...removing(flags.secretOut) };
}

/** What opens everything goes onto a terminal, where it is typed back, or into a file; never into a pipe. */
async function show(
  secret: Secret,
  {
    what,
    flags,
    out,
  }: {
    readonly what: string;
    readonly flags: { readonly secretOut?: string | undefined };
    readonly out: Output;
  },
): Promise<void> {
  const { secretOut } = flags;
  if (secretOut !== undefined) demandPlaceFor(secretOut);
  else if (!process.stdout.isTTY || !process.stdin.isTTY) {
    throw new CliError(
      EXIT.usage,
      `this shows a ${what}, and there is no terminal`,
      'Name a new file with --secret-out.',
    );
  }
  handOver(secret, { what, file: secretOut, out });
  if (secretOut !== undefined || (await typedBack(secret, what))) return;
  throw new CliError(
    EXIT.refused,
    `the ${what} was not typed back; no slot was made`,
    'Run the command again.',
  );
}

function removing(file: string | undefined): Pick<Made, 'takeBack'> | undefined {
  if (file === undefined) return undefined;
  return {
    takeBack: () => {
      rmSync(file, { force: true });
    },
  };
}
