import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dataOf, type RunningDaemon, send, startDaemon, temporaryDirectory } from '../support/daemon.ts';
import { sendAsOperator } from '../support/operator-socket.ts';

/** Bodies with which each route would succeed in its own realm; a route that is missing here fails the test. */
const BODIES: Readonly<Record<string, (ids: Ids) => unknown>> = {
  'PATCH /products/{id}': () => ({ name: 'Taken over' }),
  'PATCH /policies/{id}': () => ({ maxMachines: 99 }),
  'PATCH /entitlements/{id}': () => ({ name: 'Taken over' }),
  'PATCH /licenses/{id}': () => ({ name: 'Taken over' }),
  'PATCH /machines/{id}': () => ({ name: 'Taken over' }),
  'PUT /licenses/{id}/entitlements/{entitlementId}': () => ({}),
  'POST /system/signing-keys/{kid}/rotate': () => ({}),
  'POST /system/signing-keys/{kid}/activate': () => ({}),
  'POST /system/signing-keys/{kid}/retire': () => ({}),
  'POST /system/signing-keys/{kid}/compromise': () => ({ since: '2026-01-01T00:00:00.000Z' }),
  'POST /products/{id}/set-key': () => ({ kid: 'A'.repeat(16), iHaveShippedTheNewKey: true }),
  'POST /tenants/{id}/erase': () => ({ confirm: 'dev' }),
  'POST /licenses/{id}/suspend': () => ({ reason: 'x' }),
  'POST /licenses/{id}/reinstate': () => ({}),
  'POST /licenses/{id}/renew': () => ({ days: 1 }),
  'POST /licenses/{id}/transfer': (ids) => ({ policyId: ids.policy }),
  'POST /licenses/{id}/revoke': () => ({ reason: 'x' }),
  'POST /licenses/{id}/ban': () => ({ reason: 'x' }),
  'POST /licenses/{id}/explain': () => ({}),
  'POST /licenses/{id}/restore': () => ({}),
  'POST /products/{id}/restore': () => ({}),
  'POST /policies/{id}/restore': () => ({}),
  'POST /entitlements/{id}/restore': () => ({}),
  'POST /licenses/{id}/reveal': () => ({}),
  'POST /licenses/{id}/validate': () => ({ fingerprint: 'matrix-machine' }),
  'POST /licenses/{id}/checkout': () => ({}),
  'POST /licenses/{id}/signed-key': () => ({}),
  'POST /licenses/{id}/machines': () => ({ fingerprint: 'another-machine' }),
  'POST /machines/{id}/checkout': () => ({}),
  'POST /machines/{id}/heartbeat': () => ({}),
  'POST /machines/{id}/rekey': () => ({ publicKey: null }),
  'PATCH /api-keys/{id}': () => ({ name: 'Taken over' }),
  'POST /api-keys/{id}/rotate': () => ({}),
  'POST /api-keys/{id}/revoke': () => ({}),
  'POST /system/sweeps/{job}/release': () => ({}),
  'POST /system/slots/{name}/test': () => ({ secret: { kind: 'recovery', code: 'none' } }),
  'PATCH /tenants/{id}': () => ({ name: 'Taken over' }),
};

/** Routes of the operator's socket, and one with a scope that no key can be given: no key of any realm comes there. */
const OPERATORS = /^\/(tenants|system|products\/\{id\}\/set-key)/;

/** Routes that anybody may call for a tenant by its code: what they show is public. */
const PUBLIC = /^GET \/tenants\/\{code\}\//;

interface Ids {
  readonly product: string;
  readonly policy: string;
  readonly entitlement: string;
  readonly license: string;
  readonly licenseKey: string;
  /** Key of another licence beside it. */
  readonly neighbourKey: string;
  readonly machine: string;
  readonly apiKey: string;
  readonly tenant: string;
}

const directory = temporaryDirectory();
let daemon: RunningDaemon;
let ids: Ids;
let routes: { method: string; path: string }[];
/** Credentials that are not of the realm that owns the ids. */
let strangers: { name: string; headers: Record<string, string> }[];
const CANARY = 'Canary of the first tenant';

beforeAll(async () => {
  // Here it is to be seen who is let in, not how often.
  const limits = 'validate=60,heartbeat=60,activate=10,activateRealm=600,management=100000,burst=100000';
  const env = { MINTMARK_LIMITS_STANDARD: limits };
  daemon = await startDaemon(join(directory.path, 'appliance'), { env });
  const owner = { url: daemon.url, key: daemon.live.secretKey };
  ids = await fill(owner, CANARY);
  const openapi = await send({ url: daemon.url }, { method: 'GET', path: '/openapi.json' });
  const paths = openapi.body['paths'] as Record<string, Record<string, unknown>>;
  routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods)
      .filter((method) => ['get', 'post', 'put', 'patch', 'delete'].includes(method))
      .map((method) => ({ method: method.toUpperCase(), path: path.replace(/^\/api\/v1/, '') })),
  );
  const other = await secondTenant(daemon);
  const fake = other.secretKey.slice(0, -8) + 'AAAAAAAA';
  strangers = [
    { name: 'another tenant', headers: { authorization: `Bearer ${other.secretKey}` } },
    { name: 'test key of the same tenant', headers: { authorization: `Bearer ${daemon.test.secretKey}` } },
    { name: 'licence of another tenant', headers: { authorization: `License ${other.licenseKey}` } },
    { name: 'another licence of the realm', headers: { authorization: `License ${ids.neighbourKey}` } },
    { name: 'publishable key of test', headers: { 'x-publishable-key': daemon.test.publishableKey } },
    { name: 'publishable key of the realm', headers: { 'x-publishable-key': daemon.live.publishableKey } },
    { name: 'a key nobody has', headers: { authorization: `Bearer ${fake}` } },
    { name: 'nobody', headers: {} },
  ];
});

afterAll(async () => {
  await daemon.stop();
  directory[Symbol.dispose]();
});

async function fill(target: { url: string; key: string }, name: string): Promise<Ids> {
  const post = (path: string, body: unknown): Promise<Record<string, unknown>> =>
    dataOf(send(target, { method: 'POST', path, body }));
  const product = String((await post('/products', { name, code: 'matrix' }))['id']);
  const policy = String(
    (await post('/policies', { productId: product, name, template: 'desktop_app' }))['id'],
  );
  const entitlement = String((await post('/entitlements', { code: 'matrix', name }))['id']);
  const license = await post('/licenses', { productId: product, policyId: policy, name });
  const id = String(license['id']);
  const neighbour = await post('/licenses', { productId: product, policyId: policy, name: 'Neighbour' });
  const machine = await post(`/licenses/${id}/machines`, { fingerprint: 'matrix-machine', name });
  const apiKey = await post('/api-keys', { name, scopes: ['licenses:read'] });
  return {
    product,
    policy,
    entitlement,
    license: id,
    licenseKey: String(license['key']),
    neighbourKey: String(neighbour['key']),
    machine: String(machine['id']),
    apiKey: String(apiKey['id']),
    tenant: daemon.tenant,
  };
}

/** A tenant of its own, made at the operator's socket, with a licence. */
async function secondTenant(running: RunningDaemon): Promise<{ secretKey: string; licenseKey: string }> {
  const post = (
    path: string,
    body: unknown,
    headers: Record<string, string>,
  ): Promise<Record<string, unknown>> =>
    dataOf(sendAsOperator(join(running.dir, 'data'), { method: 'POST', path, body, headers }));
  await post('/tenants', { name: 'Rival', code: 'rival' }, {});
  const openapi = ['products', 'policies', 'licenses', 'machines', 'entitlements'];
  const scopes = [
    ...openapi.flatMap((name) => [`${name}:read`, `${name}:write`]),
    'licenses:checkout',
    'licenses:validate',
  ];
  const all = [
    ...scopes,
    'licenses:reveal',
    'licenses:revoke',
    'api-keys:read',
    'api-keys:write',
    'events:read',
  ];
  const key = await post(
    '/api-keys',
    { name: 'Rival', scopes: all, tier: 'unlimited' },
    { 'x-mintmark-tenant': 'rival' },
  );
  const target = { url: running.url, key: String(key['key']) };
  const made = await fill({ url: target.url, key: target.key }, 'Rival');
  return { secretKey: target.key, licenseKey: made.licenseKey };
}

function idFor(route: { path: string }): string {
  if (route.path.includes('{kid}')) return 'A'.repeat(16);
  const [, resource = ''] = route.path.split('/');
  const byResource: Readonly<Record<string, string>> = {
    products: ids.product,
    policies: ids.policy,
    entitlements: ids.entitlement,
    licenses: ids.license,
    machines: ids.machine,
    'api-keys': ids.apiKey,
    tenants: ids.tenant,
    system: 'purge-licenses',
  };
  const id = byResource[resource];
  if (id === undefined) throw new Error(`the matrix has no id for ${route.path}`);
  return id;
}

function target(route: { method: string; path: string }): { path: string; body: unknown } {
  const name = `${route.method} ${route.path}`;
  const path = route.path.replace('{entitlementId}', ids.entitlement).replace(/\{\w+\}/, idFor(route));
  if (route.method === 'GET' || route.method === 'DELETE') return { path, body: undefined };
  const body = BODIES[name];
  if (body === undefined && !route.path.includes('/entitlements/'))
    throw new Error(`the matrix has no body for ${name}`);
  return { path, body: body?.(ids) };
}

function isLimited(name: string, { status }: { status: number }): boolean {
  return name === 'a key nobody has' && status === 429;
}

describe('realm matrix', () => {
  it('answers 404, 403 or 401 to every stranger on every route with an id, and never data', async () => {
    const named = routes.filter(
      ({ method, path }) => path.includes('{') && !PUBLIC.test(`${method} ${path}`),
    );
    expect(named.length).toBeGreaterThan(20);
    const wrong: string[] = [];
    for (const route of named) {
      const { path, body } = target(route);
      for (const { name, headers } of strangers) {
        const answer = await send({ url: daemon.url }, { method: route.method, path, body, headers });
        const text = JSON.stringify(answer.body);
        // Too many unknown credentials from one address are answered 429, still without looking further.
        const refused = [401, 403, 404].includes(answer.status) || isLimited(name, answer);
        if (!refused || text.includes(CANARY)) {
          wrong.push(
            `${name}: ${route.method} ${route.path} answered ${String(answer.status)} ${text.slice(0, 120)}`,
          );
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it('answers 404, not 403, to a key with every scope in another realm', async () => {
    const routesOfKeys = routes.filter(({ path }) => path.includes('{') && !OPERATORS.test(path));
    const wrong: string[] = [];
    for (const route of routesOfKeys) {
      const { path, body } = target(route);
      for (const { name, headers } of strangers.slice(0, 2)) {
        const answer = await send({ url: daemon.url }, { method: route.method, path, body, headers });
        if (answer.status === 404 && answer.body['code'] === 'NOT_FOUND') continue;
        wrong.push(`${name}: ${route.method} ${route.path} answered ${String(answer.status)}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  it('lets the owner do what every stranger was refused', async () => {
    // Without this, a matrix whose every request is malformed would look as good.
    const owner = { url: daemon.url, key: daemon.live.secretKey };
    const harmless = routes.filter(
      ({ method, path }) => path.includes('{') && method === 'GET' && !OPERATORS.test(path),
    );
    expect(harmless.length).toBeGreaterThan(7);
    for (const route of harmless) {
      const answer = await send(owner, { method: 'GET', path: target(route).path });
      expect(answer.status, route.path).toBe(200);
    }
    const wellFormed = routes.filter(
      ({ method, path }) => path.includes('{') && method !== 'GET' && !OPERATORS.test(path),
    );
    const malformed: string[] = [];
    for (const route of wellFormed.filter(({ method }) => method !== 'DELETE')) {
      const { path, body } = target(route);
      const nowhere = path.replaceAll(/_[0-9A-Z]{26}/g, '_01ARZ3NDEKTSV4RRFFQ69G5FAV');
      const answer = await send(owner, { method: route.method, path: nowhere, body });
      if (answer.status !== 404)
        malformed.push(`${route.method} ${route.path} ${JSON.stringify(answer.body)}`);
    }
    expect(malformed).toEqual([]);
  });

  it('lists nothing of another realm', async () => {
    const lists = routes.filter(({ method, path }) => method === 'GET' && !path.includes('{'));
    for (const route of lists) {
      for (const { headers } of strangers) {
        const answer = await send({ url: daemon.url }, { method: 'GET', path: route.path, headers });
        const text = JSON.stringify(answer.body);
        for (const id of [
          ids.license,
          ids.product,
          ids.policy,
          ids.machine,
          ids.entitlement,
          ids.apiKey,
          CANARY,
        ])
          expect(text, route.path).not.toContain(id);
      }
    }
  });

  it('changed nothing for the owner', async () => {
    const owner = { url: daemon.url, key: daemon.live.secretKey };
    const license = await dataOf(send(owner, { method: 'GET', path: `/licenses/${ids.license}` }));
    expect(license).toMatchObject({ status: 'active', name: CANARY, machineCount: 1 });
  });

  it('never lets a test key see a live licence by its key', async () => {
    const tester = { url: daemon.url, key: daemon.test.secretKey };
    const looked = await send(tester, {
      method: 'POST',
      path: '/licenses/lookup',
      body: { key: ids.licenseKey },
    });
    expect(looked.status).toBe(404);
    const body = { key: ids.licenseKey, environment: 'test' };
    const validated = await send(
      { url: daemon.url },
      { method: 'POST', path: '/licenses/validate-key', body },
    );
    expect(validated.body['data']).toMatchObject({ valid: false, code: 'NOT_FOUND' });
  });
});
