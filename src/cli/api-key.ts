import { USAGE_COLUMNS, USAGE_FILTERS } from './usage.ts';
import { column, type Resource, type ResourceAction, standardActions } from './resource.ts';

const CREATE: ResourceAction = {
  name: 'create',
  help: 'create an API key; it is shown once',
  args: [],
  method: 'POST',
  path: '/api-keys',
  secretOut: { field: 'key', what: 'the API key' },
  options: [
    { flags: '--name <name>', field: 'name', help: 'what it is for', required: true },
    {
      flags: '--scopes <list>',
      field: 'scopes',
      help: 'comma-separated, e.g. licenses:read,licenses:write',
      kind: 'list',
    },
    { flags: '--kind <kind>', field: 'kind', help: 'sk (secret, default) or pk (publishable)' },
    {
      flags: '--allowed-cidrs <list>',
      field: 'allowedCidrs',
      help: 'addresses it may come from',
      kind: 'list',
    },
    { flags: '--expires-at <time>', field: 'expiresAt', help: 'ISO 8601, e.g. 2027-01-31T00:00:00.000Z' },
    { flags: '--tier <tier>', field: 'tier', help: 'free, standard (default), premium or unlimited' },
    {
      flags: '--issue-limit-per-day <n|none>',
      field: 'issueLimitPerDay',
      help: 'licences and files it may issue a day (default 1000)',
      kind: 'no-limit',
    },
  ],
  example:
    'mintmark api-key create --name shop --scopes licenses:write,licenses:checkout --secret-out shop.key',
};

/** `mintmark api-key …` */
export const apiKeyResource: Resource = {
  name: 'api-key',
  help: 'credentials for programs',
  actions: [
    CREATE,
    ...standardActions('/api-keys', {
      noun: 'API key',
      columns: [
        column('ID', 'id'),
        column('NAME', 'name'),
        column('KIND', 'kind'),
        column('LAST USED', 'lastUsedAt'),
        column('EXPIRES', 'expiresAt'),
        column('REVOKED', 'revokedAt'),
      ],
      create: [],
    }).filter(({ name }) => name !== 'create'),
    {
      name: 'rotate',
      help: 'give a key a new secret; the old one goes on for the overlap',
      args: ['id'],
      method: 'POST',
      path: '/api-keys/{id}/rotate',
      secretOut: { field: 'key', what: 'the API key' },
      options: [
        { flags: '--overlap-hours <n>', field: 'overlapHours', help: 'default 24', kind: 'number' },
        {
          flags: '--exposed',
          field: 'exposed',
          help: 'the old secret got out: it dies at once',
          kind: 'boolean',
        },
      ],
    },
    {
      name: 'usage',
      help: 'who asked for what with a key, newest first',
      args: ['id'],
      method: 'GET',
      path: '/usage?apiKeyId={id}',
      query: true,
      options: USAGE_FILTERS,
      columns: USAGE_COLUMNS,
      example: 'mintmark api-key usage key_01J… --since 2026-11-01T00:00:00Z',
    },
    {
      name: 'revoke',
      help: 'end a key at once',
      args: ['id'],
      method: 'POST',
      path: '/api-keys/{id}/revoke',
    },
  ],
};
