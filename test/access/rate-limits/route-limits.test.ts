import { describe, expect, it } from 'vitest';
import { allRoutes } from '../../../src/daemon/all-routes.ts';

const routes = allRoutes({} as never, {} as never, {} as never);

/** Every route that is counted by more than who asks; all others are management, by API key. */
const CLASSES: Readonly<Record<string, string>> = {
  'POST /api/v1/licenses/validate-key': 'validate body.key body.fingerprint',
  'POST /api/v1/licenses/{id}/validate': 'validate params.id body.fingerprint',
  'POST /api/v1/machines/{id}/heartbeat': 'heartbeat - params.id',
  'POST /api/v1/licenses/{id}/machines': 'activate params.id body.fingerprint',
  'POST /api/v1/machines': 'activate body.key body.fingerprint',
  'GET /api/v1/machines/{id}': 'management - params.id',
  'PATCH /api/v1/machines/{id}': 'management - params.id',
  'DELETE /api/v1/machines/{id}': 'management - params.id',
  'GET /api/v1/machines/{id}/challenge': 'management - params.id',
  'POST /api/v1/machines/{id}/rekey': 'management - params.id',
  'POST /api/v1/machines/{id}/checkout': 'management - params.id',
  'POST /api/v1/licenses/{id}/checkout': 'management - body.fingerprint',
  'GET /health': 'health - -',
  'GET /ready': 'health - -',
  'GET /api/v1/openapi.json': 'public - -',
  'GET /api/v1/seal': 'health - -',
  'POST /api/v1/unseal': 'public - -',
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

  it('names the machine in every route about one that the holder of a licence may ask', () => {
    const own = routes.filter(({ demand, path }) => demand.also.includes('license') && path.includes('{id}'));
    expect(own.length).toBeGreaterThan(7);
    expect(own.filter(({ limit }) => limit?.machine === undefined).map(named)).toEqual([]);
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
