import { column, type FieldOption, type Resource, standardActions } from './resource.ts';

const TIER = {
  flags: '--tier <tier>',
  field: 'tier',
  help: 'how much its licences may ask for: free, standard, premium or unlimited',
} as const;

/** What it may have in each environment. */
const LIMITS: readonly FieldOption[] = [
  limit('--max-licenses <n>', 'maxLicenses', 'living licences'),
  limit('--max-machines <n>', 'maxMachines', 'living machines'),
  limit('--max-files-per-day <n>', 'maxFilesPerDay', 'files issued on a day (UTC)'),
  limit('--max-records <n>', 'maxRecords', 'records kept'),
];

function limit(flags: string, field: string, what: string): FieldOption {
  return { flags, field, help: `most ${what} in each environment, or none for no limit`, kind: 'no-limit' };
}

/** `mintmark tenant …` */
export const tenantResource: Resource = {
  name: 'tenant',
  help: 'organisations with data of their own (local operator only)',
  actions: [
    ...standardActions('/tenants', {
      noun: 'tenant',
      columns: [
        column('ID', 'id'),
        column('CODE', 'code'),
        column('NAME', 'name'),
        column('STATUS', 'status'),
      ],
      create: [
        { flags: '--name <name>', field: 'name', help: 'name for people', required: true },
        {
          flags: '--code <code>',
          field: 'code',
          help: 'short code in URLs and files, cannot be changed',
          required: true,
        },
        TIER,
        ...LIMITS,
      ],
    }),
    {
      name: 'update',
      help: 'rename, suspend or reactivate a tenant, or give it another tier or other limits',
      args: ['id'],
      method: 'PATCH',
      path: '/tenants/{id}',
      options: [
        { flags: '--name <name>', field: 'name', help: 'name for people' },
        { flags: '--status <status>', field: 'status', help: 'active or suspended' },
        TIER,
        ...LIMITS,
      ],
    },
    {
      name: 'erase',
      help: 'erase a tenant with its licences, machines and keys, for good',
      args: ['id'],
      method: 'POST',
      path: '/tenants/{id}/erase',
      options: [
        { flags: '--confirm <code>', field: 'confirm', help: 'the code of the tenant', required: true },
      ],
    },
  ],
};
