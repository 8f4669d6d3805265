import { column, type FieldOption, type Resource, standardActions } from './resource.ts';

const NAME: FieldOption = { flags: '--name <name>', field: 'name', help: 'name for people' };
const OTHERS: FieldOption[] = [
  { flags: '--description <text>', field: 'description', help: 'what it is' },
  {
    flags: '--key-prefix <letters>',
    field: 'keyPrefix',
    help: 'first part of its licence keys (default LIC)',
  },
  { flags: '--metadata <json>', field: 'metadata', help: 'object of your own', kind: 'json' },
  {
    flags: '--indexed-metadata <keys>',
    field: 'indexedMetadata',
    help: 'keys of the metadata of its licences by which they can be listed, comma-separated, at most 4',
    kind: 'list',
  },
];

/** `mintmark product …` */
export const productResource: Resource = {
  name: 'product',
  help: 'what licences are for',
  actions: [
    ...standardActions('/products', {
      noun: 'product',
      sorts: ['-createdAt', 'createdAt'],
      restorable: [],
      columns: [
        column('ID', 'id'),
        column('CODE', 'code'),
        column('NAME', 'name'),
        column('PREFIX', 'keyPrefix'),
      ],
      create: [
        { ...NAME, required: true },
        {
          flags: '--code <code>',
          field: 'code',
          help: 'short code, unique, cannot be changed',
          required: true,
        },
        ...OTHERS,
      ],
    }),
    {
      name: 'update',
      help: 'change a product',
      args: ['id'],
      method: 'PATCH',
      path: '/products/{id}',
      options: [NAME, ...OTHERS],
    },
    {
      name: 'set-key',
      help: 'have its files signed by another licence key; applications with the old one compiled in refuse them (local operator only)',
      args: ['id', 'kid'],
      method: 'POST',
      path: '/products/{id}/set-key',
      options: [
        {
          flags: '--i-have-shipped-the-new-key',
          field: 'iHaveShippedTheNewKey',
          help: 'that applications in use know the new key',
          kind: 'boolean',
          required: true,
        },
      ],
    },
    {
      name: 'delete',
      help: 'delete a product without policies and licences',
      args: ['id'],
      method: 'DELETE',
      path: '/products/{id}',
    },
  ],
};
