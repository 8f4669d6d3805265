import type { Command } from 'commander';
import type { SlotInfo } from '../custody/index.ts';
import type { NamedSecretText, RekeyReport, RekeyRequest } from '../daemon/rekey.ts';
import { systemRandom } from '../lib/random.ts';
import { CliError, EXIT } from './exit-code.ts';
import type { ActionContext, WithClient } from './resource.ts';
import { demandPlaceFor } from './secret-file.ts';
import { collect, loadFor } from './settings.ts';
import { handOver, typedBack } from './shown-once.ts';
import { askFor, secretText } from './slot-flags.ts';
import type { Output } from './terminal.ts';

interface RekeyFlags {
  readonly secret?: readonly string[];
  readonly drop?: readonly string[];
  readonly newRecovery?: string | true;
}

type Whole = Extract<SlotInfo, { damaged: false }>;

/** Adds `rekey`. */
export function addRekey(program: Command, withClient: WithClient): void {
  const command = program
    .command('rekey')
    .description('replace the key-encryption key: what an old slot or an old copy of it opens ends here')
    .option(
      '--secret <slot=file>',
      'the secret of a slot that stays, in this file; repeatable (default: ask)',
      collect,
    )
    .option('--drop <slot>', 'a slot that goes; repeatable', collect)
    .option(
      '--new-recovery [file]',
      'make a new recovery code in place of the old: show it, or write it to this new file (0600)',
    )
    .addHelpText(
      'after',
      `
Every slot stays, with its secret, or goes: the new key is wrapped once for each. The credential is read from where the
configuration has it. Data is not encrypted anew, and requests are served meanwhile. What a crash interrupts is finished by the
next start. Backups made until now open with the slots of their day: make a new one afterwards.

Examples:
  mintmark rekey
  mintmark rekey --new-recovery
  mintmark rekey --secret passphrase=words.txt --drop spare --new-recovery recovery-2027.txt`,
    );
  command.action((flags: RekeyFlags) =>
    withClient(command, async (context) => {
      const { client, out } = context;
      if (typeof flags.newRecovery === 'string') demandPlaceFor(flags.newRecovery);
      const slots = (await client.data({ method: 'GET', path: '/system/slots' })) as SlotInfo[]; // the route's answer
      const body = await requestOf(command, { slots, flags, context });
      const data = (await client.data({ method: 'POST', path: '/system/rekey', body })) as RekeyReport; // the route's answer
      out.result(
        { data },
        () => `replaced in ${String(data.steps)} steps; it opens with: ${data.slots.join(', ')}`,
      );
      out.warn(
        'backups made until now still open with the old slots: make a new one, and do away with the old ones',
      );
    }),
  );
}

async function requestOf(
  command: Command,
  given: { readonly slots: readonly SlotInfo[]; readonly flags: RekeyFlags; readonly context: ActionContext },
): Promise<RekeyRequest> {
  const { slots, flags, context } = given;
  const files = new Map((flags.secret ?? []).map(assignment));
  const drop = new Set(flags.drop ?? []);
  const keep: NamedSecretText[] = [];
  const replaced: string[] = [];
  for (const slot of slots) {
    if (drop.has(slot.name)) continue;
    if (slot.damaged) {
      throw new CliError(
        EXIT.usage,
        `slot ${slot.name} is damaged and cannot stay`,
        `Give --drop ${slot.name}.`,
      );
    }
    const isReplaced = slot.kind === 'recovery' && flags.newRecovery !== undefined && !files.has(slot.name);
    if (isReplaced) replaced.push(slot.name);
    else
      keep.push({
        name: slot.name,
        secret: await secretFor(command, { slot, file: files.get(slot.name), out: context.out }),
      });
  }
  const add =
    flags.newRecovery === undefined ? [] : [await newRecovery(flags.newRecovery, replaced[0], context.out)];
  return { keep, drop: [...drop, ...replaced], add };
}

function assignment(text: string): readonly [string, string] {
  const at = text.indexOf('=');
  if (at > 0 && at < text.length - 1) return [text.slice(0, at), text.slice(at + 1)];
  throw new CliError(EXIT.usage, `--secret ${text}: write it as <slot>=<file>`);
}

async function secretFor(
  command: Command,
  { slot, file, out }: { readonly slot: Whole; readonly file: string | undefined; readonly out: Output },
): Promise<NamedSecretText['secret']> {
  if (slot.kind === 'credential') {
    const configured = (await loadFor(command)).config.custody.credential ?? undefined;
    return secretText({ with: 'credential', path: file ?? configured });
  }
  out.note(`slot ${slot.name}`);
  const asked = await askFor(slot.kind, out, file);
  if (asked !== null) return secretText(asked);
  throw new CliError(
    EXIT.usage,
    `the secret of slot ${slot.name} is not given`,
    `Give --secret ${slot.name}=<file>, or --drop ${slot.name}.`,
  );
}

/** On paper before anything is replaced. */
async function newRecovery(
  to: string | true,
  name: string | undefined,
  out: Output,
): Promise<NamedSecretText> {
  const { generateRecoveryCode } = await import('../custody/index.ts');
  const code = generateRecoveryCode(systemRandom);
  const file = to === true ? undefined : to;
  if (file === undefined && !(process.stdout.isTTY && process.stdin.isTTY)) {
    throw new CliError(
      EXIT.usage,
      'this shows a recovery code, and there is no terminal',
      'Give --new-recovery <file>.',
    );
  }
  handOver(code, { what: 'recovery code', file, out });
  if (file === undefined && !(await typedBack(code, 'recovery code'))) {
    throw new CliError(
      EXIT.refused,
      'the recovery code was not typed back; nothing was replaced',
      'Run it again.',
    );
  }
  return { name: name ?? 'recovery', secret: { kind: 'recovery', code: code.expose() } };
}
