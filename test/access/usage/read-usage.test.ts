import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { usageRoutes } from '../../../src/access/index.ts';
import { UsageLog } from '../../../src/access/usage/usage-log.ts';
import { newId } from '../../../src/lib/ulid.ts';
import { systemRandom } from '../../../src/lib/random.ts';
import { apiKeyRoutes } from '../../../src/access/api-keys/routes.ts';
import { type Answered, ask, openAccess, type TestAccess, type TestServer } from '../appliance.ts';
import { askSocket } from '../socket.ts';

let access: TestAccess;
let door: TestServer;
let log: UsageLog;
let auditor: string;

const LICENSE = newId('license', 0, systemRandom);

beforeAll(async () => {
  access = await openAccess();
  const { work, sealer, indexer, clock } = access.storage;
  const time = { now: () => clock.wall() };
  log = new UsageLog({ work, sealer, indexer, time });
  const routes = usageRoutes({ work, sealer, indexer, time });
  door = await access.serve([...routes, ...apiKeyRoutes(access.keyDeps)]);
  auditor = await access.key({ realm: access.storage.acme.live, scopes: ['audit:read'] });
});

afterAll(async () => {
  await door[Symbol.asyncDispose]();
  await access[Symbol.asyncDispose]();
});

/** Writes what the server told of since the last time. */
async function flush(): Promise<void> {
  for (const use of access.used.splice(0)) log.note(use);
  await log.flush();
}

async function usage(query: string, key = auditor): Promise<Record<string, unknown>[]> {
  const answer = await ask(door.url, { path: `/api/v1/usage?${query}`, key });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  return answer.body['data'] as Record<string, unknown>[]; // a list is an array
}

/** A key that may look at keys, and its id. */
async function looker(): Promise<{ key: string; id: string }> {
  const key = await access.key({ realm: access.storage.acme.live, scopes: ['api-keys:read'] });
  const list = await ask(door.url, { path: '/api/v1/api-keys?limit=1', key });
  const [newest] = list.body['data'] as { id: string }[]; // the one just made
  return { key, id: newest?.id ?? '' };
}

describe('who asked for what', () => {
  it('is found by key, route and status', async () => {
    const { key, id } = await looker();
    await ask(door.url, { path: '/api/v1/usage', key });
    await flush();
    const all = await usage(`apiKeyId=${id}`);
    expect(all.map(({ route, status }) => [route, status])).toEqual([
      ['GET /api/v1/usage', 403],
      ['GET /api/v1/api-keys', 200],
    ]);
    expect(new Set(all.map(({ principal }) => principal))).toEqual(new Set([`api-key:${id}`]));
    expect(await usage(`apiKeyId=${id}&status=403`)).toHaveLength(1);
    const route = encodeURIComponent('GET /api/v1/api-keys');
    expect(await usage(`apiKeyId=${id}&route=${route}`)).toHaveLength(1);
    expect(await usage(`apiKeyId=${id}&route=${route}&status=403`)).toHaveLength(0);
  });

  it('is found by the licence it was about, and by no other', async () => {
    const actor = { kind: 'api-key', id: 'key_x', via: 'secret-key' } as const;
    const realm = access.storage.acme.live;
    const who = { kind: 'secret-key', actor, realm, scopes: new Set<never>(), tier: 'standard' } as const;
    const action = 'GET /api/v1/licenses/{id}';
    log.note({ who, action, status: 200, address: '10.0.0.1', subject: LICENSE });
    log.note({ who, action, status: 200, address: '10.0.0.1', subject: newId('license', 1, systemRandom) });
    await log.flush();
    expect(await usage(`licenseId=${LICENSE}`)).toMatchObject([{ route: action, count: 1 }]);
    expect(await usage(`licenseId=${newId('license', 2, systemRandom)}`)).toEqual([]);
  });

  it('is found from a time on, and before one', async () => {
    const { clock } = access.storage;
    clock.advance(10 * 60_000);
    const since = new Date(clock.wall()).toISOString();
    const { id } = await looker();
    await flush();
    clock.advance(1000);
    const until = new Date(clock.wall()).toISOString();
    expect(await usage(`apiKeyId=${id}&since=${since}&until=${until}`)).toHaveLength(1);
    expect(await usage(`apiKeyId=${id}&until=${since}`)).toHaveLength(0);
    expect(await usage(`apiKeyId=${id}&since=${until}`)).toHaveLength(0);
  });

  it('is read page by page, newest first, each row once', async () => {
    const { key, id } = await looker();
    for (let page = 1; page <= 7; page++) {
      await ask(door.url, { path: `/api/v1/api-keys?limit=${String(page)}`, key });
      await flush();
    }
    const seen: unknown[] = [];
    let cursor = '';
    for (let page = 0; page < 10; page++) {
      const answer: Answered = await ask(door.url, {
        path: `/api/v1/usage?apiKeyId=${id}&limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`,
        key: auditor,
      });
      const { nextCursor, hasMore } = answer.body['pagination'] as {
        nextCursor: string | null;
        hasMore: boolean;
      };
      seen.push(...(answer.body['data'] as unknown[]));
      expect(hasMore).toBe(nextCursor !== null);
      if (nextCursor === null) break;
      cursor = nextCursor;
    }
    expect(seen).toHaveLength(7);
    const other = await ask(door.url, { path: `/api/v1/usage?limit=3&cursor=${cursor}`, key: auditor });
    expect(other.code).toBe('CURSOR_INVALID');
  });

  it('shows the network alone to whoever may not see personal data, the address to the operator', async () => {
    const { id } = await looker();
    await flush();
    expect(await usage(`apiKeyId=${id}`)).toMatchObject([{ address: '127.0.0.0/24' }]);
    const reveal = await access.key({
      realm: access.storage.acme.live,
      scopes: ['audit:read', 'licenses:reveal'],
    });
    expect(await usage(`apiKeyId=${id}`, reveal)).toMatchObject([{ address: '127.0.0.1' }]);
    const operator = await askSocket(door.socket, {
      path: `/api/v1/usage?apiKeyId=${id}`,
      headers: { 'x-mintmark-tenant': 'acme' },
    });
    expect(operator.body['data']).toMatchObject([{ address: '127.0.0.1' }]);
  });

  it('stays in its realm', async () => {
    const { id } = await looker();
    await flush();
    const stranger = await access.key({ realm: access.storage.globex.live, scopes: ['audit:read'] });
    expect(await usage(`apiKeyId=${id}`, stranger)).toEqual([]);
    const test = await access.key({ realm: access.storage.acme.test, scopes: ['audit:read'] });
    expect((await usage('', test)).filter(({ principal }) => principal === `api-key:${id}`)).toEqual([]);
  });

  it('needs the scope audit:read', async () => {
    const { key } = await looker();
    expect((await ask(door.url, { path: '/api/v1/usage', key })).status).toBe(403);
    expect((await ask(door.url, { path: '/api/v1/usage' })).status).toBe(401);
  });

  it('of a licence and a machine at once is no question', async () => {
    const machine = newId('machine', 0, systemRandom);
    const path = `/api/v1/usage?licenseId=${LICENSE}&machineId=${machine}`;
    const answer = await ask(door.url, { path, key: auditor });
    expect([answer.status, answer.code]).toEqual([422, 'VALIDATION_FAILED']);
    expect(answer.body['errors']).toMatchObject([{ path: 'machineId', code: 'CUSTOM' }]);
    expect(await usage(`machineId=${machine}`)).toEqual([]);
  });

  it('without a credential is counted, for the operator alone', async () => {
    await ask(door.url, { path: '/api/v1/api-keys' });
    await ask(door.url, { path: '/api/v1/api-keys', key: 'nonsense' });
    await flush();
    const answer = await askSocket(door.socket, { path: '/api/v1/system/usage/totals' });
    const rows = answer.body['data'] as Record<string, unknown>[]; // a list is an array
    const route = 'GET /api/v1/api-keys';
    expect(rows.find((row) => row['route'] === route)).toMatchObject({
      principal: 'anonymous:-',
      status: 401,
      count: 2,
    });
    expect((await ask(door.url, { path: '/api/v1/system/usage/totals', key: auditor })).status).toBe(403);
  });

  it('says what the operator did that belongs to no tenant', async () => {
    await askSocket(door.socket, { path: '/api/v1/system/usage' });
    await flush();
    const answer = await askSocket(door.socket, { path: '/api/v1/system/usage' });
    expect(answer.body['data']).toMatchObject([
      { principal: 'operator:local', route: 'GET /api/v1/system/usage' },
      {},
    ]);
  });

  it('answers in bounded time when nothing fits, and says where to go on', async () => {
    const realm = access.storage.globex.test;
    const actor = { kind: 'api-key', id: 'key_many', via: 'secret-key' } as const;
    const who = { kind: 'secret-key', actor, realm, scopes: new Set<never>(), tier: 'standard' } as const;
    for (let i = 0; i < 5600; i++) {
      log.note({
        who,
        action: 'GET /api/v1/licenses/{id}',
        status: 200,
        address: '10.0.0.1',
        subject: `lic_${String(i)}`,
      });
    }
    await log.flush();
    const key = await access.key({ realm, scopes: ['audit:read'] });
    const first = await ask(door.url, { path: '/api/v1/usage?status=404', key });
    expect(first.body['data']).toEqual([]);
    const { nextCursor } = first.body['pagination'] as { nextCursor: string };
    const second = await ask(door.url, { path: `/api/v1/usage?status=404&cursor=${nextCursor}`, key });
    expect(second.body).toEqual({ data: [], pagination: { nextCursor: null, hasMore: false } });
  });
});
