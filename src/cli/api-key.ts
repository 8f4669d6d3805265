import { USAGE_COLUMNS, USAGE_FILTERS } from './usage.ts';
import { column, type FieldOption, type Resource, type ResourceAction, standardActions } from './resource.ts';

const SCOPES: FieldOption = {
  flags: '--scopes <list>',
  field: 'scopes',
  help: 'comma-separated, e.g. licenses:read,licenses:write',
  kind: 'list',
};

/** What a key may do, besides its scopes. */
const MAY: readonly FieldOption[] = [
  {
    flags: '--allowed-cidrs <list>',
    field: 'allowedCidrs',
    help: 'addresses it may come from',
    kind: 'list',
  },
  {
    flags: '--expires-at <time>',
    field: 'expiresAt',
    help: 'a day or a time, e.g. 2027-01-31T00:00:00.000Z',
    kind: 'end',
  },
  { flags: '--tier <tier>', field: 'tier', help: 'free, standard (default), premium or unlimited' },
  {
    flags: '--issue-limit-per-day <n|none>',
    field: 'issueLimitPerDay',
    help: 'licences and files it may issue a day (default 1000)',
    kind: 'no-limit',
  },
  {
    flags: '--issue-limit-total <n|none>',
    field: 'issueLimitTotal',
    help: 'licences and files it may issue in all',
    kind: 'no-limit',
  },
  {
    flags: '--allowed-products <list>',
    field: 'allowedProducts',
    help: 'ids of the products it may see and touch (default: all)',
    kind: 'list',
  },
  { flags: '--cascade', field: 'cascade', help: 'it ends with the key that makes it', kind: 'boolean' },
];

const CREATE: ResourceAction = {
  name: 'create',
  help: 'create an API key; it is shown once',
  args: [],
  method: 'POST',
  path: '/api-keys',
  secretOut: { field: 'key', what: 'the API key' },
  options: [
    { flags: '--name <name>', field: 'name', help: 'what it is for', required: true },
    SCOPES,
    { flags: '--kind <kind>', field: 'kind', help: 'sk (secret, default) or pk (publishable)' },
    ...MAY,
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
        column('SCOPES', 'scopes'),
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
          help: 'the old secret got out: it dies at once, and what was done with it is listed',
          kind: 'boolean',
        },
      ],
      then: {
        if: 'exposed',
        path: '/usage?apiKeyId={id}&limit=100',
        options: [
          { flags: '--since <time>', field: 'since', help: 'with --exposed: since when it may be out' },
        ],
        title: 'What was done with it (mintmark api-key usage shows more):',
        member: 'usage',
        columns: USAGE_COLUMNS,
      },
      example: 'mintmark api-key rotate key_01J… --exposed --since 2026-11-20T00:00:00Z --secret-out new.key',
    },
    {
      name: 'update',
      help: 'change what a key may do; tier and limits are raised by the local operator only',
      args: ['id'],
      method: 'PATCH',
      path: '/api-keys/{id}',
      options: [{ flags: '--name <name>', field: 'name', help: 'what it is for' }, SCOPES, ...MAY],
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
