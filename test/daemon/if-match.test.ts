import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Answered,
  dataOf,
  type RunningDaemon,
  send,
  startDaemon,
  temporaryDirectory,
} from '../support/daemon.ts';
import { sendAsOperator } from '../support/operator-socket.ts';

/** How each PATCH is asked to change something; a PATCH that is missing here fails the test. */
const CHANGES: Readonly<Record<string, (n: number) => unknown>> = {
  '/products/{id}': (n) => ({ name: `Name ${String(n)}` }),
  '/policies/{id}': (n) => ({ name: `Name ${String(n)}` }),
  '/entitlements/{id}': (n) => ({ name: `Name ${String(n)}` }),
  '/licenses/{id}': (n) => ({ name: `Name ${String(n)}` }),
  '/machines/{id}': (n) => ({ name: `Name ${String(n)}` }),
  '/api-keys/{id}': (n) => ({ name: `Name ${String(n)}` }),
  '/tenants/{id}': (n) => ({ name: `Name ${String(n)}` }),
};

/** Acts on one resource that take `If-Match`, too; each is refused here, so that none of them changes anything. */
const ACTS: readonly (readonly [method: string, path: string, body: unknown])[] = [
  ['POST', '/licenses/{id}/suspend', {}],
  ['POST', '/licenses/{id}/renew', { days: 1 }],
  ['POST', '/licenses/{id}/transfer', { policyId: 'pol_none' }],
  ['POST', '/licenses/{id}/revoke', { reason: 'x' }],
  ['POST', '/licenses/{id}/ban', { reason: 'x' }],
  ['POST', '/machines/{id}/rekey', { publicKey: null }],
  ['DELETE', '/machines/{id}', undefined],
  ['DELETE', '/licenses/{id}', undefined],
  ['DELETE', '/entitlements/{id}', undefined],
  ['DELETE', '/policies/{id}', undefined],
  ['DELETE', '/products/{id}', undefined],
];

const PARALLEL = 20;
const directory = temporaryDirectory();
let daemon: RunningDaemon;
let ids: Readonly<Record<string, string>>;

beforeAll(async () => {
  daemon = await startDaemon(join(directory.path, 'appliance'));
  const post = (path: string, body: unknown): Promise<Record<string, unknown>> =>
    dataOf(ask('POST', path, { body }));
  const product = String((await post('/products', { name: 'P', code: 'p' }))['id']);
  const policy = String((await post('/policies', { productId: product, template: 'desktop_app' }))['id']);
  const entitlement = String((await post('/entitlements', { code: 'e', name: 'E' }))['id']);
  const license = String((await post('/licenses', { productId: product, policyId: policy }))['id']);
  const machine = String((await post(`/licenses/${license}/machines`, { fingerprint: 'machine-one' }))['id']);
  const apiKey = String((await post('/api-keys', { name: 'K', scopes: ['licenses:read'] }))['id']);
  const [tenant] = (await ask('GET', '/tenants')).body['data'] as { id: string }[];
  ids = {
    products: product,
    policies: policy,
    entitlements: entitlement,
    licenses: license,
    machines: machine,
    'api-keys': apiKey,
    tenants: String(tenant?.id),
  };
});

afterAll(async () => {
  await daemon.stop();
  directory[Symbol.dispose]();
});

function ask(
  method: string,
  path: string,
  more: { body?: unknown; headers?: Record<string, string> } = {},
): Promise<Answered> {
  const request = { method, path, ...more };
  if (path.startsWith('/tenants')) return sendAsOperator(join(daemon.dir, 'data'), request);
  return send({ url: daemon.url, key: daemon.live.secretKey }, request);
}

const at = (path: string): string => path.replace('{id}', ids[path.split('/')[1] ?? ''] ?? 'none');

async function etagOf(path: string): Promise<string> {
  const { headers, status } = await ask('GET', path);
  expect(status, path).toBe(200);
  return headers.get('etag') ?? 'none';
}

async function documented(method: string): Promise<string[]> {
  const { body } = await ask('GET', '/openapi.json');
  const paths = Object.entries(body['paths'] as Record<string, Record<string, unknown>>);
  return paths.flatMap(([path, methods]) => (method in methods ? [path.replace(/^\/api\/v1/u, '')] : []));
}

describe('every PATCH', () => {
  it('is looked at here', async () => {
    expect((await documented('patch')).sort()).toEqual(Object.keys(CHANGES).sort());
  });

  it.each(Object.entries(CHANGES))(
    '%s: 412 with an older tag, 200 with the newest, and none is needed',
    async (pattern, change) => {
      const path = at(pattern);
      const older = await etagOf(path);
      expect((await ask('PATCH', path, { body: change(1) })).status).toBe(200);
      const newest = await etagOf(path);
      expect(newest).not.toBe(older);
      const patch = (tag: string, n: number): Promise<Answered> =>
        ask('PATCH', path, { body: change(n), headers: { 'if-match': tag } });
      const refused = await patch(older, 2);
      expect([refused.status, refused.body['code']]).toEqual([412, 'PRECONDITION_FAILED']);
      // A tag of another branch is of another history: of an appliance that was restored since.
      expect((await patch(newest.replace(/^"\w{2}/u, '"zz'), 2)).status).toBe(412);
      expect((await patch(`W/${newest}`, 2)).status).toBe(412);
      expect((await patch('not a tag', 2)).status).toBe(400);
      const done = await patch(newest, 3);
      expect([done.status, (done.body['data'] as { name: string }).name]).toEqual([200, 'Name 3']);
      expect(done.headers.get('etag')).toBe(await etagOf(path));
      expect((await patch('*', 4)).status).toBe(200);
      expect((await patch(`"00000000.1", ${await etagOf(path)}`, 5)).status).toBe(200);
    },
  );

  it.each(Object.entries(CHANGES))(
    '%s: of many at once with the same tag one is done, and nothing is lost',
    async (pattern, change) => {
      const path = at(pattern);
      const tag = await etagOf(path);
      const answers = await Promise.all(
        Array.from({ length: PARALLEL }, (_, n) =>
          ask('PATCH', path, { body: change(100 + n), headers: { 'if-match': tag } }),
        ),
      );
      const done = answers.filter(({ status }) => status === 200);
      expect(done).toHaveLength(1);
      expect(answers.filter(({ status }) => status === 412)).toHaveLength(PARALLEL - 1);
      const now = await dataOf(ask('GET', path));
      expect(now['name']).toBe((done[0]?.body['data'] as { name: string }).name);
      expect(await etagOf(path)).toBe(done[0]?.headers.get('etag'));
    },
  );
});

describe('what ends or moves a resource', () => {
  it.each(ACTS)('%s %s is refused with an older tag', async (method, pattern, body) => {
    const path = at(pattern);
    const headers = {
      'if-match': `"${(await etagOf(at(pattern.replace(/\/[a-z]+$/u, '')))).slice(1, 9)}.999999"`,
    };
    const answer = await ask(method, path, { headers, ...(body !== undefined && { body }) });
    expect([answer.status, answer.body['code']]).toEqual([412, 'PRECONDITION_FAILED']);
  });

  it('is every DELETE of a resource', async () => {
    const deleting = (await documented('delete')).filter((path) => /^\/\w+\/\{id\}$/u.test(path));
    expect(ACTS.flatMap(([method, path]) => (method === 'DELETE' ? [path] : [])).sort()).toEqual(
      deleting.sort(),
    );
  });

  it('is a restore, too', async () => {
    const { id } = await dataOf(ask('POST', '/entitlements', { body: { code: 'gone', name: 'Gone' } }));
    const path = `/entitlements/${String(id)}`;
    const tag = await etagOf(path);
    expect((await ask('DELETE', path, { headers: { 'if-match': tag } })).status).toBe(204);
    expect((await ask('POST', `${path}/restore`, { headers: { 'if-match': tag } })).status).toBe(412);
    expect((await ask('POST', `${path}/restore`)).status).toBe(200);
  });
});
