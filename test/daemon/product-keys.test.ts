import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { API_KEY_SCOPES } from '../../src/access/index.ts';
import { allRoutes } from '../../src/daemon/all-routes.ts';
import { PRODUCT_RULES } from '../../src/daemon/product-rules.ts';
import { contentDigest } from '../../src/verify/index.ts';
import {
  type Answered,
  dataOf,
  type RunningDaemon,
  send,
  startDaemon,
  temporaryDirectory,
} from '../support/daemon.ts';
import { sendAsOperator } from '../support/operator-socket.ts';

/** What there is of one product. */
interface Shelf {
  readonly product: string;
  readonly policy: string;
  readonly license: string;
  readonly licenseKey: string;
  readonly machine: string;
}

/** Bodies with which each route would succeed with ids of its own product. */
const BODIES: Readonly<Record<string, (of: Shelf) => unknown>> = {
  'POST /policies': ({ product }) => ({ productId: product, name: 'New', template: 'desktop_app' }),
  'POST /licenses': ({ product, policy }) => ({ productId: product, policyId: policy }),
  'POST /licenses/batch': ({ product, policy }) => ({ items: [{ productId: product, policyId: policy }] }),
  'PATCH /products/{id}': () => ({ name: 'Other' }),
  'PATCH /policies/{id}': () => ({ maxMachines: 9 }),
  'PATCH /licenses/{id}': () => ({ name: 'Other' }),
  'PATCH /machines/{id}': () => ({ name: 'Other' }),
  'PUT /licenses/{id}/entitlements/{entitlementId}': () => ({}),
  'POST /licenses/{id}/suspend': () => ({ reason: 'x' }),
  'POST /licenses/{id}/renew': () => ({ days: 1 }),
  'POST /licenses/{id}/transfer': ({ policy }) => ({ policyId: policy }),
  'POST /licenses/{id}/revoke': () => ({ reason: 'x' }),
  'POST /licenses/{id}/ban': () => ({ reason: 'x' }),
  'POST /licenses/{id}/validate': () => ({ fingerprint: 'product-machine' }),
  'POST /licenses/{id}/machines': () => ({ fingerprint: 'another-machine' }),
  'POST /machines/{id}/rekey': () => ({ publicKey: null }),
};

const directory = temporaryDirectory();
let daemon: RunningDaemon;
let own: Shelf;
let foreign: Shelf;
let entitlement: string;
/** A key with every scope, limited to one product. */
let limited: { url: string; key: string };

beforeAll(async () => {
  daemon = await startDaemon(join(directory.path, 'appliance'));
  const owner = { url: daemon.url, key: daemon.live.secretKey };
  own = await stock(owner, 'own');
  foreign = await stock(owner, 'foreign');
  const made = send(owner, { method: 'POST', path: '/entitlements', body: { code: 'x', name: 'X' } });
  entitlement = String((await dataOf(made))['id']);
  limited = { url: daemon.url, key: await keyFor({ scopes: API_KEY_SCOPES }) };
});

afterAll(async () => {
  await daemon.stop();
  directory[Symbol.dispose]();
});

async function stock(target: { url: string; key: string }, code: string): Promise<Shelf> {
  const post = (path: string, body: unknown): Promise<Record<string, unknown>> =>
    dataOf(send(target, { method: 'POST', path, body }));
  const product = String((await post('/products', { name: code, code }))['id']);
  const policy = String(
    (await post('/policies', { productId: product, name: code, template: 'desktop_app' }))['id'],
  );
  const license = await post('/licenses', { productId: product, policyId: policy });
  const id = String(license['id']);
  const machine = await post(`/licenses/${id}/machines`, { fingerprint: 'product-machine' });
  return { product, policy, license: id, licenseKey: String(license['key']), machine: String(machine['id']) };
}

/** A key for the products of `own`, made at the operator's socket. */
async function keyFor(more: Record<string, unknown>): Promise<string> {
  const body = {
    name: 'limited',
    allowedProducts: [own.product],
    tier: 'unlimited',
    issueLimitPerDay: null,
    ...more,
  };
  const data = join(daemon.dir, 'data');
  const headers = { 'x-mintmark-tenant': daemon.tenant };
  return String(
    (await dataOf(sendAsOperator(data, { method: 'POST', path: '/api-keys', body, headers })))['key'],
  );
}

type Row = Readonly<Record<string, unknown>>;

/** Reads a list to its end; every page but the last must be full. */
async function walk(
  target: { url: string; key: string },
  path: string,
  limit: number,
): Promise<{ rows: Row[]; pages: number }> {
  const rows: Row[] = [];
  let cursor = '';
  for (let pages = 1; ; pages++) {
    const { body } = await send(target, { method: 'GET', path: `${path}&limit=${String(limit)}${cursor}` });
    const data = body['data'] as Row[]; // a list of the API
    const { nextCursor, hasMore } = body['pagination'] as { nextCursor: string | null; hasMore: boolean };
    rows.push(...data);
    expect(hasMore).toBe(nextCursor !== null);
    if (nextCursor === null) return { rows, pages };
    expect(data.length).toBe(limit);
    cursor = `&cursor=${nextCursor}`;
  }
}

const ask = (method: string, path: string, body?: unknown): Promise<Answered> =>
  send(limited, { method, path, ...(body !== undefined && { body }) });

/** The routes of a tenant, below `/api/v1`. */
const ROUTES = allRoutes({} as never, {} as never, {} as never)
  .filter(({ path, demand }) => path.startsWith('/api/v1/') && demand.operatorOnly !== true)
  .map(({ method, path }) => ({ method, path: path.slice('/api/v1'.length) }));

function filled(path: string, of: Shelf): string {
  const noun = /^\/([a-z-]+)/.exec(path)?.[1] ?? '';
  const ids: Readonly<Record<string, string>> = {
    products: of.product,
    policies: of.policy,
    licenses: of.license,
    machines: of.machine,
    entitlements: entitlement,
  };
  return path
    .replace('{entitlementId}', entitlement)
    .replace('{code}', daemon.tenant)
    .replace('{id}', ids[noun] ?? 'none');
}

describe('a key that is limited to a product', () => {
  it('answers 404 to every id of another, whatever is asked', async () => {
    const withIds = ROUTES.filter(({ method, path }) => PRODUCT_RULES[`${method} /api/v1${path}`] === 'ids');
    expect(withIds.length).toBeGreaterThan(30);
    const wrong: string[] = [];
    for (const { method, path } of withIds) {
      const body =
        method === 'GET' || method === 'DELETE' ? undefined : (BODIES[`${method} ${path}`]?.(foreign) ?? {});
      const answer = await ask(method, filled(path, foreign), body);
      if (answer.status !== 404 || answer.body['code'] !== 'NOT_FOUND') {
        wrong.push(`${method} ${path}: ${String(answer.status)} ${JSON.stringify(answer.body)}`);
      }
    }
    expect(wrong).toEqual([]);
    const owner = { url: daemon.url, key: daemon.live.secretKey };
    const license = await dataOf(send(owner, { method: 'GET', path: `/licenses/${foreign.license}` }));
    expect(license).toMatchObject({ status: 'active', machineCount: 1 });
  });

  it('is refused every route that nobody gave a rule', async () => {
    const without = ROUTES.filter(
      ({ method, path }) => !(`${method} /api/v1${path}` in PRODUCT_RULES),
    ).filter(({ path }) => path !== '/openapi.json');
    expect(without.map(({ path }) => path)).toEqual(
      expect.arrayContaining(['/analytics', '/events', '/audit', '/usage', '/products', '/entitlements']),
    );
    const bodies: Readonly<Record<string, unknown>> = {
      'POST /products': { name: 'New', code: 'new' },
      'POST /entitlements': { name: 'New', code: 'new' },
    };
    for (const { method, path } of without) {
      const body = method === 'GET' || method === 'DELETE' ? undefined : (bodies[`${method} ${path}`] ?? {});
      const at = path.replace('{id}', path.startsWith('/api-keys') ? `key_${'0'.repeat(26)}` : entitlement);
      const answer = await ask(method, at, body);
      expect([method, path, answer.status]).toEqual([method, path, 403]);
    }
  });

  it('works with what is of its own', async () => {
    expect((await ask('GET', `/products/${own.product}`)).status).toBe(200);
    expect((await ask('GET', `/licenses/${own.license}`)).status).toBe(200);
    expect((await ask('POST', '/licenses', { productId: own.product, policyId: own.policy })).status).toBe(
      201,
    );
    const items = [{ productId: own.product, policyId: own.policy }];
    expect((await ask('POST', '/licenses/batch', { items })).status).toBe(201);
    expect((await ask('POST', `/machines/${own.machine}/heartbeat`, {})).status).toBe(200);
    expect((await ask('POST', `/machines/${own.machine}/checkout`, {})).status).toBe(200);
    const valid = await ask('POST', '/licenses/validate-key', {
      key: own.licenseKey,
      fingerprint: 'product-machine',
    });
    expect(valid.body['data']).toMatchObject({ valid: true });
  });

  it('cannot get at another product by a policy, a member of a batch, or a filter', async () => {
    const { product, policy } = own;
    const bodies = [
      { productId: product, policyId: foreign.policy },
      { productId: foreign.product, policyId: policy },
    ];
    for (const body of bodies) {
      expect((await ask('POST', '/licenses', body)).status).toBe(404);
      const items = [{ productId: product, policyId: policy }, body];
      expect((await ask('POST', '/licenses/batch', { items })).status).toBe(404);
    }
    expect((await ask('GET', `/licenses?productId=${foreign.product}`)).status).toBe(404);
    expect((await ask('GET', `/machines?licenseId=${foreign.license}`)).status).toBe(404);
    expect(
      (await ask('POST', `/licenses/${own.license}/transfer`, { policyId: foreign.policy })).status,
    ).toBe(404);
  });

  it('sees in lists only what is of its own', async () => {
    for (const path of ['/products', '/policies', '/licenses', '/machines']) {
      const { status, body } = await ask('GET', `${path}?limit=100`);
      expect(status, path).toBe(200);
      const text = JSON.stringify(body['data']);
      expect(text.length, path).toBeGreaterThan(10);
      for (const id of [foreign.product, foreign.policy, foreign.license, foreign.machine]) {
        expect(text, path).not.toContain(id);
      }
    }
  });

  it('is told by no page, cursor or hasMore that there is anything else', async () => {
    // Of three products, each with rows made in turn; the last of every list are of the third.
    const owner = { url: daemon.url, key: daemon.live.secretKey };
    const shelves: Shelf[] = [];
    const productOf = new Map<unknown, unknown>();
    for (const code of ['turn-a', 'turn-b', 'turn-c']) shelves.push(await stock(owner, code));
    const days = [30, null, 10, 20, null, 40];
    for (const [round, day] of [...days, ...days].entries()) {
      const of = shelves[round % 3];
      const expiresAt = day === null ? null : new Date(Date.now() + day * 86_400_000).toISOString();
      const body = { productId: of?.product, policyId: of?.policy, expiresAt };
      const made = await dataOf(send(owner, { method: 'POST', path: '/licenses', body }));
      productOf.set(made['id'], of?.product);
      const path = `/licenses/${String(made['id'])}/machines`;
      await dataOf(send(owner, { method: 'POST', path, body: { fingerprint: 'machine-in-turn' } }));
      if (round > 8) await send(owner, { method: 'DELETE', path: `/licenses/${String(made['id'])}` });
    }
    const products = shelves.slice(0, 2).map(({ product }) => product);
    const key = await keyFor({ scopes: API_KEY_SCOPES, allowedProducts: products });
    const lists = [
      ...['/products?', '/policies?', '/licenses?', '/licenses?deleted=true&'].flatMap((path) => [
        `${path}sort=createdAt`,
        `${path}sort=-createdAt`,
      ]),
      ...['/licenses?sort=expiresAt', '/licenses?sort=-expiresAt', '/licenses?status=active&sort=createdAt'],
      ...['/machines?fingerprint=machine-in-turn', `/licenses?productId=${products[0] ?? ''}`],
    ];
    for (const path of lists) {
      const all = await walk(owner, path, 100);
      const own = all.rows.filter(({ id, licenseId, productId = productOf.get(licenseId) }) =>
        products.includes(String(productId ?? id)),
      );
      expect(own.length, path).toBeGreaterThan(0);
      for (const limit of [1, 2, own.length]) {
        const seen = await walk({ url: daemon.url, key }, path, limit);
        expect(
          seen.rows.map(({ id }) => id),
          path,
        ).toEqual(own.map(({ id }) => id));
        expect(seen.pages, path).toBe(Math.ceil(own.length / limit));
      }
    }
  });

  it('does not learn which metadata another product declares indexed', async () => {
    const owner = { url: daemon.url, key: daemon.live.secretKey };
    const body = { name: 'Declaring', code: 'declaring', indexedMetadata: ['plan'] };
    await dataOf(send(owner, { method: 'POST', path: '/products', body }));
    const filtered = async (key: string): Promise<unknown> =>
      (await ask('GET', `/licenses?metadata.${key}=x`)).body['code'];
    expect([await filtered('plan'), await filtered('nobodys')]).toEqual([
      'VALIDATION_FAILED',
      'VALIDATION_FAILED',
    ]);
  });

  it('finds a licence key of another product as little as one that does not exist', async () => {
    const lookup = async (key: string): Promise<unknown> => {
      const { status, body } = await ask('POST', '/licenses/lookup', { key });
      return [status, body['code'], body['detail']];
    };
    expect(await lookup(foreign.licenseKey)).toEqual(await lookup('OWN-0000-0000-0000-0000'));
    expect((await ask('POST', '/licenses/lookup', { key: own.licenseKey })).status).toBe(200);
    const validated = await ask('POST', '/licenses/validate-key', { key: foreign.licenseKey });
    expect(validated.body['data']).toMatchObject({ valid: false, code: 'NOT_FOUND' });
    const input = { key: foreign.licenseKey, fingerprint: 'yet-another-machine' };
    expect((await ask('POST', '/machines', input)).status).toBe(404);
  });

  it('may be publishable, and then validates and activates for its product alone', async () => {
    const pk = await keyFor({ kind: 'pk', tier: 'standard' });
    const headers = { 'x-publishable-key': pk };
    const validate = (key: string): Promise<Answered> =>
      send({ url: daemon.url }, { method: 'POST', path: '/licenses/validate-key', body: { key }, headers });
    expect((await validate(foreign.licenseKey)).body['data']).toMatchObject({ code: 'NOT_FOUND' });
    expect((await validate(own.licenseKey)).body['data']).not.toMatchObject({ code: 'NOT_FOUND' });
    const activate = (key: string): Promise<Answered> =>
      send(
        { url: daemon.url },
        { method: 'POST', path: '/machines', body: { key, fingerprint: 'by-publishable' }, headers },
      );
    const told = async (key: string): Promise<unknown[]> => {
      const { status, headers, body } = await activate(key);
      return [status, body['code'], body['detail'], headers.get('ratelimit-policy')];
    };
    // Not even the name of the limit says that somebody has this key.
    const unknown = await told('OWN-0000-0000-0000-0000');
    expect(unknown).toEqual([404, 'NOT_FOUND', expect.any(String), expect.stringContaining('failures')]);
    expect(await told(foreign.licenseKey)).toEqual(unknown);
    expect((await activate(own.licenseKey)).status).not.toBe(404);
  });

  /** Asks for a signed answer: its status, and whether it is signed. */
  async function signed(
    path: string,
    credential: Readonly<Record<string, string>>,
    input: object = {},
  ): Promise<readonly [status: number, signed: boolean]> {
    const body = JSON.stringify({ ...input, nonce: 'a-nonce-of-a-limited-key' });
    const type = { 'content-type': 'application/json', 'content-digest': contentDigest(body) };
    const init = { method: 'POST', headers: { ...type, ...credential }, body };
    const answer = await fetch(`${daemon.url}/api/v1/licenses/${path}`, init);
    await answer.arrayBuffer();
    return [answer.status, answer.headers.has('signature')];
  }

  it('gets no signed word about a licence of another product, nor about one that nobody has', async () => {
    const pk = { 'x-publishable-key': await keyFor({ kind: 'pk' }) };
    expect(await signed('validate-key', pk, { key: own.licenseKey })).toEqual([200, true]);
    expect(await signed('validate-key', pk, { key: foreign.licenseKey })).toEqual([200, false]);
    expect(await signed('validate-key', pk, { key: 'OWN-0000-0000-0000-0000' })).toEqual([200, false]);
  });

  it('gets none by an id either, whatever the refusal is', async () => {
    const as = (key: string) => ({ authorization: `Bearer ${key}` });
    const nobody = `lic_${'0'.repeat(26)}`;
    expect(await signed(`${own.license}/validate`, as(limited.key))).toEqual([200, true]);
    expect(await signed(`${foreign.license}/validate`, as(limited.key))).toEqual([404, false]);
    expect(await signed(`${nobody}/validate`, as(limited.key))).toEqual([404, false]);
    const wrong = { fingerprint: 1 };
    expect(await signed(`${own.license}/validate`, as(limited.key), wrong)).toEqual([422, true]);
    expect(await signed(`${foreign.license}/validate`, as(limited.key), wrong)).toEqual([422, false]);
    // A key for all products is told truly that there is none.
    expect(await signed(`${nobody}/validate`, as(daemon.live.secretKey))).toEqual([404, true]);
  });

  it('makes keys for its product, and for no other', async () => {
    const child = await ask('POST', '/api-keys', { name: 'child', scopes: ['licenses:read'] });
    expect(child.body['data']).toMatchObject({ allowedProducts: [own.product] });
    const key = (child.body['data'] as { key: string }).key;
    const read = (id: string): Promise<Answered> =>
      send({ url: daemon.url, key }, { method: 'GET', path: `/licenses/${id}` });
    expect([(await read(own.license)).status, (await read(foreign.license)).status]).toEqual([200, 404]);
    const wider = {
      name: 'wider',
      scopes: ['licenses:read'],
      allowedProducts: [own.product, foreign.product],
    };
    expect((await ask('POST', '/api-keys', wider)).status).toBe(422);
  });
});

describe('the OpenAPI document', () => {
  it('is written out once, whoever asks for it how often', async () => {
    const routes = allRoutes({} as never, {} as never, {} as never);
    const route = routes.find(({ path }) => path === '/api/v1/openapi.json');
    const ask = async (): Promise<Buffer | undefined> => (await route?.handle({} as never))?.raw?.bytes;
    const first = await ask();
    expect(JSON.parse(String(first))).toMatchObject({ openapi: '3.1.0' });
    expect(await ask()).toBe(first);
  });
});

describe('the rules', () => {
  it('are for routes that there are', () => {
    const actions = new Set(
      allRoutes({} as never, {} as never, {} as never).map(({ method, path }) => `${method} ${path}`),
    );
    expect(Object.keys(PRODUCT_RULES).filter((action) => !actions.has(action))).toEqual([]);
  });
});
