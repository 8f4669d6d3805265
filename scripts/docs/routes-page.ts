import type { Demand, Permit } from '../../src/access/index.ts';
import { allRoutes } from '../../src/daemon/all-routes.ts';
import type { Route } from '../../src/http/route.ts';
import { page, table } from './markdown.ts';

/** Kinds of caller besides API keys with a scope, in words. */
const OTHERS: Readonly<Record<Demand['also'][number], string>> = {
  anonymous: 'anybody',
  license: 'a licence key, for its own',
  'publishable-key': 'a publishable key',
};

/** docs/routes.md: every route with who may call it and how it answers, by subject. */
export function routesPage(): string {
  // Rows are only looked at: their handlers, which alone use what a daemon would give them, are never run.
  const routes = allRoutes({} as never, {} as never, {} as never);
  const subjects = Map.groupBy(routes, ({ tag }) => tag);
  const sections = [...subjects].map(([tag, rows]) => `## ${tag}\n\n${routesTable(rows)}`);
  return page('Routes', 'the rows of `src/*/routes.ts`', [
    'Requests and answers are JSON. The schemas of every route are in the OpenAPI 3.1 document that the appliance serves at\n' +
      '`/api/v1/openapi.json`, made from the same rows; [errors](errors.md) and [scopes](scopes.md) have pages of their own. The local\n' +
      'operator, at the socket, may call every route; where it belongs to a realm he names one with `X-Mintmark-Tenant` and\n' +
      '`X-Mintmark-Environment`. A star stands behind routes that honour `Idempotency-Key`.',
    ...sections,
  ]);
}

function routesTable(routes: readonly Route<Permit, Demand>[]): string {
  const rows = routes.map((route) => [
    `\`${route.method} ${route.path}\`${route.idempotent === undefined ? '' : ' *'}`,
    route.summary,
    callersOf(route.demand),
    Object.keys(route.answers).join(', '),
  ]);
  return table(['route', 'what it does', 'who may', 'answers'], rows);
}

function callersOf({ scope, also, operatorOnly }: Demand): string {
  if (operatorOnly === true) return 'local operator';
  if (also.includes('anonymous')) return OTHERS.anonymous;
  const keys = scope === null ? 'any API key' : `\`${scope}\``;
  return [keys, ...also.map((kind) => OTHERS[kind])].join('; ');
}
