import { describe, expect, it } from 'vitest';
import { allRoutes } from '../../src/daemon/all-routes.ts';
import { RouteTable } from '../../src/http/route-table.ts';

// Rows are only looked at: their handlers, which alone use what a daemon would give them, are never run.
const routes = allRoutes({} as never, {} as never, {} as never);
const name = ({ method, path }: (typeof routes)[number]): string => `${method} ${path}`;

describe('every route', () => {
  it('has a method and path of its own, and is found by them', () => {
    const table = new RouteTable(routes);
    for (const route of routes) {
      const path = route.path.replaceAll(/\{[A-Za-z]+\}/g, 'x');
      const matched = table.match(route.method, path);
      expect(matched.found === 'route' ? matched.entry.action : matched.found).toBe(name(route));
    }
  });

  it('that honours an idempotency key stores its answer with what it changes', () => {
    const idempotent = routes.filter((route) => route.idempotent !== undefined);
    expect(idempotent.length).toBeGreaterThan(10);
    expect(idempotent.filter((route) => !('present' in route)).map(name)).toEqual([]);
    const reread = idempotent.filter((route) => route.idempotent === 'reread');
    expect(reread.filter((route) => !('reread' in route)).map(name)).toEqual([]);
  });

  it('that anybody may call ignores idempotency keys', () => {
    const open = routes.filter(({ demand }) => demand.also.includes('anonymous'));
    expect(open.filter((route) => route.idempotent !== undefined).map(name)).toEqual([]);
  });

  it('says what it answers, and who may call it', () => {
    for (const route of routes) {
      expect(Object.keys(route.answers).length, name(route)).toBeGreaterThan(0);
      const { scope, also, operatorOnly } = route.demand;
      expect(scope !== null || also.length > 0 || operatorOnly === true, name(route)).toBe(true);
    }
  });

  it('for the operator is for nobody else', () => {
    const operatorOnly = routes.filter(({ demand }) => demand.operatorOnly === true);
    expect(operatorOnly.some(({ path }) => path.startsWith('/api/v1/tenants'))).toBe(true);
    for (const route of operatorOnly) expect(route.demand.also, name(route)).toEqual([]);
  });
});
