import { describe, expect, it } from 'vitest';
import { allRoutes } from '../../../src/daemon/all-routes.ts';

const routes = allRoutes({} as never, {} as never);

/** Every route with a class of its own; all others are management, by API key. */
const CLASSES: Readonly<Record<string, string>> = {
  'POST /api/v1/licenses/validate-key': 'validate body.key body.fingerprint',
  'POST /api/v1/licenses/{id}/validate': 'validate params.id body.fingerprint',
  'POST /api/v1/machines/{id}/heartbeat': 'heartbeat - params.id',
  'POST /api/v1/licenses/{id}/machines': 'activate params.id body.fingerprint',
  'POST /api/v1/machines': 'activate body.key body.fingerprint',
  'GET /health': 'health - -',
  'GET /ready': 'health - -',
  'GET /api/v1/openapi.json': 'public - -',
};

const named = (route: (typeof routes)[number]): string => `${route.method} ${route.path}`;

describe('the table of routes', () => {
  it('limits validation, heartbeats and activation by licence and machine', () => {
    const classed = routes.filter(({ limit, tag }) => limit !== undefined && tag !== 'trust');
    const said = classed.map((route): [string, string] => [
      named(route),
      `${route.limit?.class ?? '-'} ${route.limit?.license ?? '-'} ${route.limit?.machine ?? '-'}`,
    ]);
    expect(Object.fromEntries(said)).toEqual(CLASSES);
  });

  it('has a class for every route that anybody may ask: strangers have no key to be counted by', () => {
    const open = routes.filter(({ demand }) => demand.also.includes('anonymous'));
    expect(open.length).toBeGreaterThan(5);
    expect(open.filter(({ limit }) => limit === undefined).map(named)).toEqual([]);
  });

  it('counts by members that its routes have', () => {
    for (const route of routes) {
      for (const member of [route.limit?.license, route.limit?.machine]) {
        if (member === undefined) continue;
        const [part, name = ''] = member.split('.');
        if (part === 'params') expect(route.path, named(route)).toContain(`{${name}}`);
        else expect(route.body, named(route)).toBeDefined();
      }
    }
  });
});
