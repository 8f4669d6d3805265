import type { Command } from 'commander';
import { COMPONENTS_HELP } from './components.ts';
import { addCheckout } from './checkout.ts';
import { addMachineExport } from './export.ts';
import { addResource, column, type FieldOption, type Resource, type WithClient } from './resource.ts';

const FIELDS: FieldOption[] = [
  { flags: '--name <name>', field: 'name', help: 'name for people' },
  { flags: '--hostname <name>', field: 'hostname', help: 'its host name (stored sealed)' },
  {
    flags: '--user-email <address>',
    field: 'userEmail',
    help: 'who uses it; needed where seats are counted per user',
  },
  { flags: '--metadata <json>', field: 'metadata', help: 'object of your own', kind: 'json' },
];

const COMPONENTS: FieldOption = {
  flags: '--components <file>',
  field: 'components',
  help: COMPONENTS_HELP,
  kind: 'components',
};

const COLUMNS = [
  column('ID', 'id'),
  column('STATUS', 'status'),
  column('FINGERPRINT', 'fingerprint'),
  column('PLATFORM', 'platform'),
  column('NAME', 'name'),
  column('LAST HEARTBEAT', 'lastHeartbeatAt'),
  column('LICENCE', 'licenseId'),
];

const RESOURCE: Resource = {
  name: 'machine',
  help: 'machines that hold a seat of a licence',
  actions: [
    {
      name: 'create',
      help: 'activate a machine: take a seat of a licence',
      args: ['licenseId'],
      method: 'POST',
      path: '/licenses/{licenseId}/machines',
      options: [
        { flags: '--fingerprint <text>', field: 'fingerprint', help: '8–256 characters', required: true },
        COMPONENTS,
        {
          flags: '--platform <name>',
          field: 'platform',
          help: 'windows, macos, linux, docker, kubernetes or other',
        },
        { flags: '--cores <n>', field: 'cores', help: 'processor cores', kind: 'number' },
        ...FIELDS,
      ],
      example:
        'mintmark machine create lic_01… --fingerprint "$(mintmark fingerprint --plain)" --platform linux',
    },
    {
      name: 'list',
      help: 'list machines',
      args: [],
      method: 'GET',
      path: '/machines',
      query: true,
      columns: COLUMNS,
      options: [
        { flags: '--license-id <id>', field: 'licenseId', help: 'only those of this licence' },
        { flags: '--fingerprint <text>', field: 'fingerprint', help: 'only this one' },
        {
          flags: '--limit <n>',
          field: 'limit',
          help: 'how many at most (1–100, default 25)',
          kind: 'number',
        },
        { flags: '--cursor <cursor>', field: 'cursor', help: 'where the last list ended' },
      ],
    },
    { name: 'show', help: 'show one machine', args: ['id'], method: 'GET', path: '/machines/{id}' },
    {
      name: 'update',
      help: 'change a machine',
      args: ['id'],
      method: 'PATCH',
      path: '/machines/{id}',
      options: FIELDS,
    },
    {
      name: 'heartbeat',
      help: 'say that it is alive',
      args: ['id'],
      method: 'POST',
      path: '/machines/{id}/heartbeat',
      options: [COMPONENTS],
    },
    {
      name: 'delete',
      help: 'deactivate: give the seat back',
      args: ['id'],
      method: 'DELETE',
      path: '/machines/{id}',
    },
  ],
};

/** Adds `mintmark machine …`. */
export function addMachineCommands(program: Command, withClient: WithClient): void {
  const group = addResource(program, RESOURCE, withClient);
  addMachineExport(group, withClient);
  addCheckout(group, { noun: 'machine', path: '/machines/{id}/checkout', withClient });
}
