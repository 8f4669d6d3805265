import type { Command } from 'commander';
import type { SlotInfo, Unsealing } from '../custody/index.ts';
import type { SealStatus } from '../daemon/seal-routes.ts';
import type { ApiClient } from './api-client.ts';
import { CliError, EXIT } from './exit-code.ts';
import type { WithClient } from './resource.ts';
import { globalFlags } from './settings.ts';
import { askFor, secretText, type SlotFlags, unsealingIn, withSlotFlags } from './slot-flags.ts';
import { type Output, readSecret } from './terminal.ts';

/** Adds `seal` and `unseal`. */
export function addSeal(program: Command, withClient: WithClient): void {
  addSealing(program, withClient);
  const unseal = withSlotFlags(
    program.command('unseal').description('open the keys of a sealed appliance with the secret of any slot'),
    'it',
  ).addHelpText(
    'after',
    `
The secret is asked for when no file is named. What somebody sealed by hand opens by itself again from then on.

Examples:
  mintmark unseal
  mintmark unseal --recovery-file recovery.txt
  mintmark unseal --share-file share.1 --share-file share.3`,
  );
  unseal.action((flags: SlotFlags) =>
    withClient(unseal, async ({ client, out }) => {
      if ((await stateOf(client)) === 'unsealed') {
        out.result({ data: { state: 'unsealed' } }, () => 'the appliance is not sealed');
        return;
      }
      const unsealing = await unsealingOf(unseal, { client, flags, out });
      const body = { secret: await secretText(unsealing) };
      const data = (await client.data({ method: 'POST', path: '/unseal', body })) as SealStatus; // the route's answer
      out.result({ data }, () => toldOf(data));
    }),
  );
}

function addSealing(program: Command, withClient: WithClient): void {
  const seal = program
    .command('seal')
    .description(
      'wipe the keys from memory; the appliance stays sealed, restarts included, until `mintmark unseal`',
    )
    .addHelpText(
      'after',
      '\nRequests that run are answered first, for at most ten seconds; every other one is refused.',
    );
  seal.action(() =>
    withClient(seal, async ({ client, out }) => {
      const data = await client.data({ method: 'POST', path: '/system/seal' });
      out.result({ data }, () => 'sealed; `mintmark unseal` opens it again');
    }),
  );
}

async function stateOf(client: ApiClient): Promise<string> {
  const { state } = (await client.data({ method: 'GET', path: '/seal' })) as { state: string }; // the route's answer
  return state;
}

function toldOf({ state, shares }: SealStatus): string {
  if (shares === undefined) return state;
  return `${String(shares.given)} of ${String(shares.needed)} shares are given; the others within ten minutes`;
}

/** Asked for is what there is a slot of; from elsewhere nobody is told which there are. */
async function unsealingOf(
  command: Command,
  given: { readonly client: ApiClient; readonly flags: SlotFlags; readonly out: Output },
): Promise<Unsealing> {
  const { client, flags, out } = given;
  const named = await unsealingIn(flags, out);
  if (named !== null) return named;
  const kinds = globalFlags(command).url === undefined ? await kindsOf(client) : ['passphrase'];
  const kind = (['passphrase', 'shares', 'recovery'] as const).find((one) => kinds.includes(one));
  const asked = kind === 'shares' ? await askForOne(out) : await askFor(kind ?? 'recovery', out);
  if (asked !== null) return asked;
  throw new CliError(
    EXIT.usage,
    'nothing opens the keys',
    'Give --passphrase-file, --recovery-file, --credential-file or --share-file.',
  );
}

/** Whoever has a share types his own; the appliance keeps it for the others. */
async function askForOne(out: Output): Promise<Unsealing | null> {
  const share = await readSecret({ file: undefined, prompt: 'share' }, out);
  return share && { with: 'shares', shares: [share] };
}

async function kindsOf(client: ApiClient): Promise<string[]> {
  const status = await client.data({ method: 'GET', path: '/system/status' });
  const { slots } = status as { slots: SlotInfo[] }; // the route's answer
  return slots.flatMap((slot) => (slot.damaged ? [] : [slot.kind]));
}
