import { z } from 'zod';
import type { Demand, Permit } from '../../access/index.ts';
import { etagOf, versionsMatching } from '../../http/etag.ts';
import { CREATION_QUERY, creationPage, listAnswer, listName, oneAnswer, pageOf } from '../../http/list.ts';
import { type Answer, type Route, routeOf } from '../../http/route.ts';
import { requireMayRestore } from '../caller.ts';
import { DELETED_QUERY, idParams, type Shown } from '../schema.ts';
import { createProduct, type CreateProductDeps } from './create.ts';
import { deleteProduct } from './delete.ts';
import { productAnswer, productInput, productKey, productPatch } from './product-schema.ts';
import type { ProductView } from './product.ts';
import { restoreProduct } from './restore.ts';
import { setKeyOfProduct } from './set-key.ts';
import { listProducts, showProduct } from './show.ts';
import { updateProduct } from './update.ts';

/** What the routes of products need. */
export interface ProductRoutesDeps extends CreateProductDeps {
  /** The appliance's branch, for entity tags. */
  readonly branch: () => string;
}

const route = routeOf<Permit, Demand>();
const PATH = '/api/v1/products';
const read: Demand = { scope: 'products:read', also: [] };
const write: Demand = { scope: 'products:write', also: [] };

/** `/api/v1/products`: create, list, show, change, delete, restore. */
export function productRoutes(deps: ProductRoutesDeps): Route<Permit, Demand>[] {
  return [createRoute(deps), listRoute(deps), ...oneRoutes(deps), restoreRoute(deps), setKeyRoute(deps)];
}

function createRoute(deps: ProductRoutesDeps): Route<Permit, Demand> {
  const present = (view: ProductView): Answer => shown(deps, { view, version: 1 }, 201);
  return route({
    method: 'POST',
    path: PATH,
    summary: 'Create a product',
    tag: 'products',
    demand: write,
    body: productInput,
    answers: { 201: oneAnswer(productAnswer) },
    idempotent: 'answer',
    present,
    handle: async ({ permit, body }) => present(await createProduct(deps, permit, body)),
  });
}

function listRoute(deps: ProductRoutesDeps): Route<Permit, Demand> {
  return route({
    method: 'GET',
    path: PATH,
    summary: 'List products',
    tag: 'products',
    demand: read,
    query: z.strictObject({ ...CREATION_QUERY, ...DELETED_QUERY }),
    answers: { 200: listAnswer(productAnswer) },
    handle: ({ permit, query }) => {
      const { deleted = false, limit } = query;
      if (deleted) requireMayRestore(permit, 'products:write');
      const sort = listName(query.sort, { deleted });
      const page = { ...creationPage(query, sort), deleted };
      const rows = listProducts(deps, permit, page);
      return { status: 200, body: pageOf(rows, limit, { sort, keyOf: seqOf, show: viewOf }) };
    },
  });
}

function restoreRoute(deps: ProductRoutesDeps): Route<Permit, Demand> {
  const present = (result: Shown<ProductView>): Answer => shown(deps, result, 200);
  return route({
    method: 'POST',
    path: `${PATH}/{id}/restore`,
    summary: 'Bring back a product that was deleted and is not purged yet',
    tag: 'products',
    demand: write,
    params: idParams,
    answers: { 200: oneAnswer(productAnswer) },
    idempotent: 'answer',
    present,
    handle: async (call) => {
      const versions = versionsMatching(call.header('if-match'), deps.branch());
      return present(await restoreProduct(deps, call.permit, { id: call.params.id, versions }));
    },
  });
}

function setKeyRoute(deps: ProductRoutesDeps): Route<Permit, Demand> {
  const present = (result: Shown<ProductView>): Answer => shown(deps, result, 200);
  return route({
    method: 'POST',
    path: `${PATH}/{id}/set-key`,
    summary:
      'Have files of a product signed by another licence key; applications with the old one compiled in refuse them',
    tag: 'products',
    demand: { scope: 'signing-keys:rotate', also: [] },
    params: idParams,
    body: productKey,
    answers: { 200: oneAnswer(productAnswer) },
    idempotent: 'answer',
    present,
    handle: async (call) => {
      const versions = versionsMatching(call.header('if-match'), deps.branch());
      const request = { id: call.params.id, versions, kid: call.body.kid };
      return present(await setKeyOfProduct(deps, call.permit, request));
    },
  });
}

function oneRoutes(deps: ProductRoutesDeps): Route<Permit, Demand>[] {
  const one = { path: `${PATH}/{id}`, tag: 'products', params: idParams } as const;
  const answers = { 200: oneAnswer(productAnswer) };
  return [
    route({
      ...one,
      method: 'GET',
      summary: 'Show a product',
      demand: read,
      answers,
      handle: ({ permit, params }) => shown(deps, showProduct(deps, permit, params.id), 200),
    }),
    route({
      ...one,
      method: 'PATCH',
      summary: 'Change a product; its code is fixed',
      demand: write,
      body: productPatch,
      answers,
      handle: async (call) => {
        const versions = versionsMatching(call.header('if-match'), deps.branch());
        const request = { id: call.params.id, versions, change: call.body };
        return shown(deps, await updateProduct(deps, call.permit, request), 200);
      },
    }),
    route({
      ...one,
      method: 'DELETE',
      summary: 'Delete a product that has neither policies nor licences',
      demand: write,
      answers: { 204: null },
      handle: async (call) => {
        const versions = versionsMatching(call.header('if-match'), deps.branch());
        await deleteProduct(deps, call.permit, { id: call.params.id, versions });
        return { status: 204 };
      },
    }),
  ];
}

function shown(deps: ProductRoutesDeps, { view, version }: Shown<ProductView>, status: number): Answer {
  return { status, body: { data: view }, headers: { etag: etagOf(deps.branch(), version) } };
}

const seqOf = ({ seq }: { readonly seq: number }): number => seq;
const viewOf = ({ view }: { readonly view: ProductView }): ProductView => view;
