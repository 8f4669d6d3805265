import { column, type Resource, standardActions } from './resource.ts';

const TIER = {
  flags: '--tier <tier>',
  field: 'tier',
  help: 'how much its licences may ask for: free, standard, premium or unlimited',
} as const;

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
      ],
    }),
    {
      name: 'update',
      help: 'rename, suspend or reactivate a tenant, or give it another tier',
      args: ['id'],
      method: 'PATCH',
      path: '/tenants/{id}',
      options: [
        { flags: '--name <name>', field: 'name', help: 'name for people' },
        { flags: '--status <status>', field: 'status', help: 'active or suspended' },
        TIER,
      ],
    },
  ],
};
