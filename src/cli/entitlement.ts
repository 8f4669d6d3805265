import { column, type Resource, standardActions } from './resource.ts';

/** `mintmark entitlement …` */
export const entitlementResource: Resource = {
  name: 'entitlement',
  help: 'features that policies and licences carry',
  actions: [
    ...standardActions('/entitlements', {
      noun: 'entitlement',
      sorts: ['-createdAt', 'createdAt'],
      restorable: [],
      columns: [column('ID', 'id'), column('CODE', 'code'), column('NAME', 'name')],
      create: [
        { flags: '--code <code>', field: 'code', help: 'lower-case code, unique', required: true },
        { flags: '--name <name>', field: 'name', help: 'name for people', required: true },
        { flags: '--metadata <json>', field: 'metadata', help: 'object of your own', kind: 'json' },
      ],
    }),
    {
      name: 'update',
      help: 'change an entitlement',
      args: ['id'],
      method: 'PATCH',
      path: '/entitlements/{id}',
      options: [
        { flags: '--name <name>', field: 'name', help: 'name for people' },
        { flags: '--metadata <json>', field: 'metadata', help: 'object of your own', kind: 'json' },
      ],
    },
    {
      name: 'delete',
      help: 'delete an entitlement nobody has',
      args: ['id'],
      method: 'DELETE',
      path: '/entitlements/{id}',
    },
  ],
};
