import { Router } from '@koa/router';
import { invariant } from '../lib/invariant.ts';
import type { Route } from './route.ts';

/** A route with what is counted and logged of it. */
export interface RouteEntry<Caller, Demand> {
  readonly route: Route<Caller, Demand>;
  /** `METHOD /pattern`: the action a permit is for, and what logs and metrics name. */
  readonly action: string;
  readonly paramNames: readonly string[];
}

/** What a request's method and path lead to. */
export type Matched<Caller, Demand> =
  | {
      readonly found: 'route';
      readonly entry: RouteEntry<Caller, Demand>;
      readonly params: Readonly<Record<string, string>>;
    }
  /** The path exists with other methods. */
  | { readonly found: 'path'; readonly allow: string }
  | { readonly found: 'nothing' };

type Layer = ReturnType<Router['match']>['path'][number];

const NO_PARAMS: Readonly<Record<string, string>> = Object.freeze({});
const NOTHING = { found: 'nothing' } as const;

/** The routes by method and path, as the router matches them: case-sensitive, and without a second slash at the end. */
export class RouteTable<Caller, Demand> {
  /** By the part of the path that names the resource: a router asks each of its routes in turn. */
  readonly #routers = new Map<string, Router>();
  readonly #entries = new Map<Layer, RouteEntry<Caller, Demand>>();
  /** Where paths without parameters lead never changes: asked of the router once. */
  readonly #fixed = new Map<string, Matched<Caller, Demand>>();

  /** @throws InvariantViolation when two routes have the same method and path */
  constructor(routes: readonly Route<Caller, Demand>[]) {
    for (const route of routes) this.#add(route);
    for (const { route } of this.entries) {
      if (!route.path.includes('{')) this.#remember(route.method, route.path);
    }
  }

  get entries(): readonly RouteEntry<Caller, Demand>[] {
    return [...this.#entries.values()];
  }

  /** What `method` (upper case) and `path` (as received, without query) lead to. */
  match(method: string, path: string): Matched<Caller, Demand> {
    return this.#fixed.get(`${method} ${path}`) ?? this.#ask(method, path);
  }

  #add(route: Route<Caller, Demand>): void {
    const action = `${route.method} ${route.path}`;
    const taken = [...this.#entries.values()].some((entry) => entry.action === action);
    invariant(!taken, `route ${action} exists once`);
    const paramNames = [...route.path.matchAll(/\{([A-Za-z]+)\}/g)].map(([, name]) => name ?? '');
    const path = route.path.replaceAll(/\{([A-Za-z]+)\}/g, ':$1');
    const layer = this.#routerOf(route.path).register(path, [route.method], () => undefined);
    invariant('captures' in layer, 'one path makes one layer');
    this.#entries.set(layer as Layer, { route, action, paramNames }); // the line above proved it
  }

  #routerOf(path: string): Router {
    const name = resourceIn(path);
    invariant(!name.includes('{'), 'a route names its resource before any parameter');
    const router = this.#routers.get(name) ?? new Router({ sensitive: true, strict: true });
    this.#routers.set(name, router);
    return router;
  }

  #remember(method: string, path: string): void {
    this.#fixed.set(`${method} ${path}`, this.#ask(method, path));
  }

  #ask(method: string, path: string): Matched<Caller, Demand> {
    const router = this.#routers.get(resourceIn(path));
    if (router === undefined) return NOTHING;
    const { path: onPath, pathAndMethod } = router.match(path, method);
    if (onPath.length === 0) return NOTHING;
    const [layer] = pathAndMethod.toSorted((a, b) => a.paramNames.length - b.paramNames.length);
    if (layer === undefined) return { found: 'path', allow: allowed(onPath) };
    const entry = this.#entries.get(layer);
    invariant(entry !== undefined, 'every layer is a route of the table');
    const params = paramsOf(layer, path);
    return params === undefined ? NOTHING : { found: 'route', entry, params };
  }
}

/** The third part of a path, `licenses` of `/api/v1/licenses/…`; empty when it has fewer. */
function resourceIn(path: string): string {
  return path.split('/', 4)[3] ?? '';
}

/** Decoded parameters; undefined when one is not decodable: no resource has such a name. */
function paramsOf(layer: Layer, path: string): Readonly<Record<string, string>> | undefined {
  if (layer.paramNames.length === 0) return NO_PARAMS;
  try {
    const values = layer.captures(path).map((value) => decodeURIComponent(value));
    return Object.fromEntries(layer.paramNames.map(({ name }, at) => [name, values[at] ?? '']));
  } catch {
    return undefined;
  }
}

function allowed(layers: readonly Layer[]): string {
  const methods = new Set(['OPTIONS', ...layers.flatMap(({ methods: some }) => some)]);
  return [...methods].sort().join(', ');
}
