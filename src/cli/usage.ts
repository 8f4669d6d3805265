import { column, type FieldOption, type Resource } from './resource.ts';

/** Columns of a list of requests. */
export const USAGE_COLUMNS = [
  column('AT', 'at'),
  column('REQUEST', 'route'),
  column('STATUS', 'status'),
  column('COUNT', 'count'),
  column('ADDRESS', 'address'),
];

/** What every list of requests can be narrowed to. */
export const USAGE_FILTERS: readonly FieldOption[] = [
  { flags: '--route <route>', field: 'route', help: 'method and pattern, e.g. "GET /api/v1/licenses/{id}"' },
  { flags: '--status <status>', field: 'status', help: 'HTTP status', kind: 'number' },
  { flags: '--since <time>', field: 'since', help: 'from this time on, ISO 8601' },
  { flags: '--until <time>', field: 'until', help: 'before this time' },
  { flags: '--limit <n>', field: 'limit', help: 'how many at most (1–100, default 25)', kind: 'number' },
  { flags: '--cursor <cursor>', field: 'cursor', help: 'where the last list ended' },
];

/** `mintmark usage …` */
export const usageResource: Resource = {
  name: 'usage',
  help: 'who asked for what',
  actions: [
    {
      name: 'list',
      help: 'list requests, newest first',
      args: [],
      method: 'GET',
      path: '/usage',
      query: true,
      options: [
        { flags: '--api-key <id>', field: 'apiKeyId', help: 'only what this API key asked for' },
        { flags: '--license <id>', field: 'licenseId', help: 'only requests about this licence' },
        { flags: '--machine <id>', field: 'machineId', help: 'only requests about this machine' },
        ...USAGE_FILTERS,
      ],
      columns: [column('WHO', 'principal'), ...USAGE_COLUMNS],
      example: 'mintmark usage list --license lic_01J… --since 2026-11-01T00:00:00Z',
    },
    {
      name: 'totals',
      help: 'show by the hour what callers asked for beyond the rows of a day',
      args: [],
      method: 'GET',
      path: '/usage/totals',
      query: true,
      options: [{ flags: '--until <time>', field: 'until', help: 'end of the day; now when left out' }],
      columns: [
        column('HOUR', 'hour'),
        column('WHO', 'principal'),
        column('REQUEST', 'route'),
        column('STATUS', 'status'),
        column('COUNT', 'count'),
      ],
    },
    {
      name: 'anonymous',
      help: 'show by the hour what was asked without a credential',
      args: [],
      method: 'GET',
      path: '/system/usage/totals',
      query: true,
      options: [{ flags: '--until <time>', field: 'until', help: 'end of the day; now when left out' }],
      columns: [
        column('HOUR', 'hour'),
        column('REQUEST', 'route'),
        column('STATUS', 'status'),
        column('COUNT', 'count'),
      ],
    },
  ],
};
