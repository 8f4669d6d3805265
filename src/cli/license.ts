import type { Command } from 'commander';
import { addCheckout, addSignedKey } from './checkout.ts';
import {
  addResource,
  column,
  type FieldOption,
  type Resource,
  type ResourceAction,
  standardActions,
  type WithClient,
} from './resource.ts';
import { addLicenseExplain } from './license-explain.ts';
import { addLicenseShow } from './license-show.ts';
import { addLicenseBatch } from './license-batch.ts';
import { addLicenseExport } from './export.ts';
import { addLicenseImport } from './license-import.ts';
import { addLicenseLookup } from './lookup.ts';

const FIELDS: FieldOption[] = [
  { flags: '--name <name>', field: 'name', help: 'name for people' },
  { flags: '--user-email <address>', field: 'userEmail', help: 'whom it is for (stored sealed)' },
  { flags: '--user-name <name>', field: 'userName', help: 'whom it is for (stored sealed)' },
  {
    flags: '--max-machines <n|policy>',
    field: 'maxMachinesOverride',
    help: 'a limit of its own; policy: as the policy says',
    kind: 'override',
  },
  {
    flags: '--max-uses <n|policy>',
    field: 'maxUsesOverride',
    help: 'a limit of its own; policy: as the policy says',
    kind: 'override',
  },
  { flags: '--metadata <json>', field: 'metadata', help: 'object of your own', kind: 'json' },
];

const REASON: FieldOption = {
  flags: '--reason <text>',
  field: 'reason',
  help: 'why; kept sealed in the ledger',
};

/** What create and reveal show in full. */
const KEY = { field: 'key', what: 'the licence key' };

function transition(name: string, help: string, options: readonly FieldOption[] = []): ResourceAction {
  return { name, help, args: ['id'], method: 'POST', path: `/licenses/{id}/${name}`, options };
}

const RESOURCE: Resource = {
  name: 'license',
  help: 'licences: issue, change, check out',
  actions: [
    ...standardActions('/licenses', {
      noun: 'licence',
      sorts: ['-createdAt', 'createdAt', 'expiresAt', '-expiresAt'],
      restorable: [
        {
          flags: '--machines <true|false>',
          field: 'machines',
          help: 'true (default): with the machines that went with it; false: without',
          kind: 'boolean',
        },
      ],
      columns: [
        column('ID', 'id'),
        column('KEY', 'key'),
        column('STATUS', 'status'),
        column('MACHINES', 'machineCount'),
        column('EXPIRES', 'expiresAt'),
        column('NAME', 'name'),
        column('PERSON', 'userEmail'),
      ],
      create: [
        { flags: '--product-id <id>', field: 'productId', help: 'the product', required: true },
        { flags: '--policy-id <id>', field: 'policyId', help: 'the policy', required: true },
        {
          flags: '--expires-at <time>',
          field: 'expiresAt',
          help: 'a day or a time, ISO 8601; default as the policy says',
          kind: 'end',
        },
        { flags: '--entitlement-ids <list>', field: 'entitlementIds', help: 'comma-separated', kind: 'list' },
        ...FIELDS,
      ],
      filters: [
        { flags: '--product-id <id>', field: 'productId', help: 'only of this product' },
        { flags: '--policy-id <id>', field: 'policyId', help: 'only of this policy' },
        {
          flags: '--status <status>',
          field: 'status',
          help: 'active, suspended, expired, revoked or banned',
        },
        { flags: '--user-email <address>', field: 'userEmail', help: 'only of this person' },
        { flags: '--expires-before <time>', field: 'expiresBefore', help: 'ISO 8601' },
        {
          flags: '--where <key=value...>',
          field: 'metadata',
          help: 'by metadata that the product declares indexed',
          kind: 'where',
        },
      ],
    })
      .filter(({ name }) => name !== 'show')
      .map((action) => (action.name === 'create' ? { ...action, secretOut: KEY } : action)),
    {
      name: 'update',
      help: 'change a licence',
      args: ['id'],
      method: 'PATCH',
      path: '/licenses/{id}',
      options: FIELDS,
    },
    {
      name: 'delete',
      help: 'delete a licence and its machines; its key stays reserved',
      args: ['id'],
      method: 'DELETE',
      path: '/licenses/{id}',
    },
    transition('suspend', 'stop a licence until it is reinstated', [REASON]),
    transition('reinstate', 'end a suspension'),
    transition('renew', 'move the expiry', [
      { flags: '--days <n>', field: 'days', help: 'by so many days', kind: 'number' },
      {
        flags: '--expires-at <time>',
        field: 'expiresAt',
        help: 'to this day or time, ISO 8601',
        kind: 'end',
      },
    ]),
    transition('transfer', 'put a licence under another policy of its product', [
      { flags: '--policy-id <id>', field: 'policyId', help: 'the new policy', required: true },
      {
        flags: '--keep-expiry <true|false>',
        field: 'keepExpiry',
        help: 'true (default), or false to count it anew by the new policy',
        kind: 'boolean',
      },
    ]),
    transition('revoke', 'end a licence for good', [{ ...REASON, required: true }]),
    transition('ban', 'end a licence for good, for abuse', [{ ...REASON, required: true }]),
    {
      ...transition('reveal', 'show the key and the person in full (recorded in the ledger)'),
      secretOut: KEY,
    },
    {
      name: 'entitle',
      help: 'give an entitlement to a licence',
      args: ['id', 'entitlementId'],
      method: 'PUT',
      path: '/licenses/{id}/entitlements/{entitlementId}',
      options: [
        {
          flags: '--expires-at <time>',
          field: 'expiresAt',
          help: 'until this day or time, ISO 8601',
          kind: 'end',
        },
      ],
    },
    {
      name: 'disentitle',
      help: 'take an entitlement from a licence',
      args: ['id', 'entitlementId'],
      method: 'DELETE',
      path: '/licenses/{id}/entitlements/{entitlementId}',
    },
    {
      name: 'files',
      help: 'files, tokens and signed keys that are out in the field',
      args: ['id'],
      method: 'GET',
      path: '/licenses/{id}/files',
      columns: [
        column('FILE', 'id'),
        column('KIND', 'kind'),
        column('MACHINE', 'machineId'),
        column('ISSUED', 'issuedAt'),
        column('EXPIRES', 'expiresAt'),
      ],
    },
  ],
};

/** Adds `mintmark license …`. */
export function addLicenseCommands(program: Command, withClient: WithClient): void {
  const group = addResource(program, RESOURCE, withClient);
  addLicenseBatch(group, withClient);
  addLicenseImport(group, withClient);
  addLicenseExport(group, withClient);
  addLicenseShow(group, withClient);
  addLicenseExplain(group, withClient);
  addLicenseLookup(group, withClient);
  addCheckout(group, { noun: 'license', path: '/licenses/{id}/checkout', withClient });
  addSignedKey(group, withClient);
}
