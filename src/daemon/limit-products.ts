import { Fault } from '../faults.ts';
import type { Answer, Call, Route } from '../http/route.ts';
import { present } from '../lib/invariant.ts';
import type { RealmId } from '../storage/realm-scope.ts';
import type { Demand, Permit } from '../access/index.ts';

/**
 * What a route shows of products to a key that is for some of them only. A route without a rule is not for such keys.
 * `free`: nothing. `ids`: what the ids in its path, query and body belong to. `key`: also what the licence key in its body
 * belongs to. `rows`: a list. Its operation reads rows of those products alone, so that neither a short page nor `hasMore`
 * tells of others; what came through all the same is left out here.
 */
export type ProductRule = 'free' | 'ids' | 'key' | 'rows';

/** What limiting to products needs. */
export interface ProductScopeDeps {
  /** The product that an id belongs to (a product's own is itself), deleted or not; undefined: there is no such row. */
  readonly productOf: (realm: RealmId, id: string) => string | undefined;
  /** The product of the licence that a typed key leads to in a realm; undefined: nowhere. */
  readonly productOfKey: (realm: RealmId, typed: string) => string | undefined;
  /** A licence key that leads nowhere. */
  readonly noKey: string;
}

type AnyRoute = Route<Permit, Demand>;
type Signing = NonNullable<AnyRoute['signing']>;

/** The products a caller is limited to, and how to find what belongs to them. */
interface Limit {
  readonly has: (id: string) => boolean;
  readonly hasKey: (typed: string) => boolean;
}

/** Ids of what belongs to a product. */
const OF_PRODUCT = /^(?:prod|pol|lic|mach|file)_[0-9A-HJKMNP-TV-Z]{26}$/;
/** Members that name something by its id; what stands in `metadata` names nothing. */
const NAMES_ID = /^(?:id|.+Ids?)$/;
const FREE_DATA = 'metadata';

/**
 * Wraps every route, so that a key with `allowedProducts` sees and touches nothing of others: their ids are answered 404, as
 * if they did not exist; their licence keys as unknown ones; their rows are left out. The one place where this is done: a
 * route that nobody gave a rule is refused to such keys.
 */
export function limitProducts(
  deps: ProductScopeDeps,
  rules: Readonly<Record<string, ProductRule>>,
): (route: AnyRoute) => AnyRoute {
  return (route) => {
    const rule = rules[`${route.method} ${route.path}`];
    return {
      ...route,
      handle: (call) => {
        const limit = limitOf(deps, call.permit);
        return limit === undefined ? route.handle(call) : handled(deps, route, { rule, call, limit });
      },
      ...(route.signing !== undefined && { signing: signingWithin(deps, route.signing) }),
      ...(route.reread !== undefined && {
        reread: (call, stored) => {
          const limit = limitOf(deps, call.permit);
          if (limit !== undefined) demandIds(call, limit);
          return present(route.reread?.(call, stored), 'the route has what this was made from');
        },
      }),
    };
  };
}

/**
 * Nobody signs for what the limit hides. Who stands between an application and the appliance may add a limited key of its
 * own, and would get a genuine `NOT_FOUND` for a good licence of another product. A key or an id that leads nowhere is
 * answered unsigned as well: the two are not to be told apart.
 */
function signingWithin(deps: ProductScopeDeps, signing: Signing): Signing {
  return {
    ...signing,
    keyFor: (permit, body, params) => {
      const limit = limitOf(deps, permit);
      return limit === undefined || showsAll(limit, params, body)
        ? signing.keyFor(permit, body, params)
        : null;
    },
  };
}

/** Whether everything that a request names is of the products of the limit. */
function showsAll(limit: Limit, params: unknown, body: unknown): boolean {
  const key = licenseKeyIn(body);
  return [...idsIn(params), ...idsIn(body)].every(limit.has) && (key === undefined || limit.hasKey(key));
}

/** Undefined: whoever asks is limited to no products. */
function limitOf(deps: ProductScopeDeps, { principal }: Permit): Limit | undefined {
  if (principal.kind !== 'secret-key' && principal.kind !== 'publishable-key') return undefined;
  const { products, realm } = principal;
  if (products === undefined || products.length === 0) return undefined;
  const isAllowed = (product: string | undefined): boolean =>
    product !== undefined && products.includes(product);
  const known = new Map<string, boolean>();
  const has = (id: string): boolean => {
    const allowed = known.get(id) ?? isAllowed(deps.productOf(realm, id));
    known.set(id, allowed);
    return allowed;
  };
  return { has, hasKey: (typed) => isAllowed(deps.productOfKey(realm, typed)) };
}

async function handled(
  deps: ProductScopeDeps,
  route: AnyRoute,
  asked: { readonly rule: ProductRule | undefined; readonly call: Call<Permit>; readonly limit: Limit },
): Promise<Answer> {
  const { rule, call, limit } = asked;
  if (rule === undefined) {
    throw new Fault(
      'INSUFFICIENT_SCOPE',
      'this is not for a key that is limited to products; use one for all',
    );
  }
  if (rule === 'free') return route.handle(call);
  demandIds(call, limit);
  if (rule === 'key') return route.handle(withoutForeignKey(deps, call, limit));
  const answer = await route.handle(call);
  return rule === 'rows' ? withoutForeignRows(answer, limit) : answer;
}

/** @throws Fault NOT_FOUND when an id is of another product, or of nothing: the two are not to be told apart */
function demandIds(call: Call<Permit>, limit: Limit): void {
  for (const part of [call.params, call.query, call.body]) {
    for (const id of idsIn(part)) {
      if (!limit.has(id)) throw new Fault('NOT_FOUND', `there is no ${id} for this key`);
    }
  }
}

/** The ids that a part of a request names, at any depth: its JSON is at most 32 levels deep. */
function* idsIn(value: unknown): Generator<string> {
  if (Array.isArray(value)) {
    for (const item of value) yield* idsIn(item);
    return;
  }
  if (typeof value !== 'object' || value === null) return;
  for (const [name, member] of Object.entries(value)) {
    if (name === FREE_DATA) continue;
    if (NAMES_ID.test(name)) yield* textsIn(member).filter((text) => OF_PRODUCT.test(text));
    else yield* idsIn(member);
  }
}

function textsIn(value: unknown): string[] {
  const items: unknown[] = Array.isArray(value) ? value : [value];
  return items.filter((item) => typeof item === 'string');
}

/** The licence key in a body; undefined: there is none. */
function licenseKeyIn(body: unknown): string | undefined {
  const hasKey = typeof body === 'object' && body !== null && 'key' in body;
  return hasKey && typeof body.key === 'string' ? body.key : undefined;
}

/** A licence key of another product is taken for one that leads nowhere, and is answered and charged as such. */
function withoutForeignKey(deps: ProductScopeDeps, call: Call<Permit>, limit: Limit): Call<Permit> {
  const { body } = call;
  const key = licenseKeyIn(body);
  if (typeof body !== 'object' || key === undefined || limit.hasKey(key)) return call;
  const { permit, params, query, requestId, address, path, bodyDigest } = call;
  return {
    ...{ permit, params, query, requestId, address, path, bodyDigest },
    body: { ...body, key: deps.noKey },
    header: (name) => call.header(name),
  };
}

/** A row belongs to the product it names, or to that of its licence, or is something of a product itself. */
function withoutForeignRows(answer: Answer, limit: Limit): Answer {
  const { body } = answer;
  if (typeof body !== 'object' || body === null || !('data' in body) || !Array.isArray(body.data))
    return answer;
  const data = body.data.filter((row: unknown) => isOwn(row, limit));
  return { ...answer, body: { ...body, data } };
}

function isOwn(row: unknown, limit: Limit): boolean {
  if (typeof row !== 'object' || row === null) return false;
  const { productId, licenseId, id } = row as Readonly<Record<string, unknown>>; // a row of a list is a JSON object
  const named = [productId, licenseId, id].find((value) => typeof value === 'string');
  return named !== undefined && limit.has(named);
}
