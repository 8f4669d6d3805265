import { column, type Resource } from './resource.ts';

const COLUMNS = [
  column('SWEEP', 'job'),
  column('TENANT', 'tenant'),
  column('ENVIRONMENT', 'environment'),
] as const;

/** `mintmark sweep …` */
export const sweepResource: Resource = {
  name: 'sweep',
  help: 'sweeps that are held because they would end many at once (local operator only)',
  actions: [
    {
      name: 'list',
      help: 'list the sweeps that are held',
      args: [],
      method: 'GET',
      path: '/system/sweeps',
      columns: COLUMNS,
    },
    {
      name: 'release',
      help: 'let a held sweep run once, however many it hits; what it ends stays ended',
      args: ['job'],
      method: 'POST',
      path: '/system/sweeps/{job}/release',
      example: 'mintmark sweep release revoke-lapsed-licenses --tenant acme --environment live',
    },
  ],
};
