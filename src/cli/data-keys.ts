import type { Command } from 'commander';
import type { DataKeyView } from '../daemon/data-keys.ts';
import { column, type WithClient } from './resource.ts';
import { table } from './terminal.ts';

const COLUMNS = [
  column('TENANT', 'tenant'),
  column('ENVIRONMENT', 'environment'),
  column('VERSION', 'version'),
  column('STATE', 'state'),
  column('USES', 'uses'),
  column('OLDER', 'older'),
];

/** Adds `keys data`, `keys rotate-data` and `keys rotate-index`. */
export function addDataKeys(keys: Command, withClient: WithClient): void {
  const list = keys
    .command('data')
    .description('data keys, which values at rest are under, and how far re-encryption is');
  list.action(() =>
    withClient(list, async ({ client, out }) => {
      const data = await client.data({ method: 'GET', path: '/system/data-keys' });
      const rows = data as DataKeyView[]; // the route's answer
      out.result({ data: rows }, () =>
        table(
          COLUMNS,
          rows.map((row) => ({ ...row, tenant: row.tenant ?? '(appliance)', older: olderText(row) })),
        ),
      );
    }),
  );
  addRotate(keys, withClient, {
    ...{ kind: 'data', of: 'values at rest' },
    then: 'Values are put under it in the background; then the older one is destroyed. See `mintmark keys data`.',
  });
  addRotate(keys, withClient, {
    ...{ kind: 'index', of: 'keyed digests: after a suspected leak' },
    then: 'New digests are made under it; look-ups try every version, and older ones stay.',
  });
}

function olderText({ resealing }: DataKeyView): string {
  if (resealing === null) return '';
  const { older, columnsDone, columns, resealed, unreadable } = resealing;
  const lost = unreadable === 0 ? '' : `, ${String(unreadable)} damaged`;
  return `${older.join(', ')}: ${String(resealed)} values, ${String(columnsDone)} of ${String(columns)} columns${lost}`;
}

interface Rotating {
  readonly kind: 'data' | 'index';
  readonly of: string;
  readonly then: string;
}

function addRotate(keys: Command, withClient: WithClient, { kind, of, then }: Rotating): void {
  const command = keys
    .command(`rotate-${kind}`)
    .description(`a new key for ${of}, of --tenant and --environment`)
    .option('--appliance', "the appliance's own key, which belongs to no tenant")
    .addHelpText(
      'after',
      `
Examples:
  mintmark --tenant acme --environment live keys rotate-${kind}
  mintmark keys rotate-${kind} --appliance`,
    );
  command.action(({ appliance = false }: { appliance?: boolean }) =>
    withClient(command, async ({ client, out }) => {
      const path = `/system/${kind}-keys/rotate`;
      const data = await client.data({ method: 'POST', path, body: { appliance } });
      const { version } = data as { readonly version: number }; // the route's answer
      out.result({ data }, () => `version ${String(version)} of the ${kind} key is in use. ${then}`);
    }),
  );
}
