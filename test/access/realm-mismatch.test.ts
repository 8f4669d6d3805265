import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask, openAccess, serveKeys, type TestAccess, type TestServer } from './appliance.ts';

const PATH = '/api/v1/api-keys';

let access: TestAccess;
let server: TestServer;
let key: string;

beforeAll(async () => {
  access = await openAccess({ failuresPerMinute: 10_000 });
  server = await serveKeys(access);
  key = await access.key({ realm: access.storage.acme.live, scopes: ['api-keys:read'] });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await access[Symbol.asyncDispose]();
});

const naming = (headers: Record<string, string>) => ask(server.url, { path: PATH, key, headers });

describe('an API key', () => {
  it.each([
    [{ 'x-mintmark-environment': 'test' }, 'environment'],
    [{ 'x-mintmark-tenant': 'globex' }, 'tenant'],
    [{ 'x-mintmark-tenant': 'globex', 'x-mintmark-environment': 'live' }, 'tenant'],
    [{ 'x-mintmark-tenant': 'nobody' }, 'tenant'],
  ])('is refused beside %j, and told which realm it is of', async (headers, what) => {
    const { status, code, body } = await naming(headers);
    expect([status, code]).toEqual([422, 'REALM_MISMATCH']);
    expect(body['detail']).toBe(`the API key is of tenant acme, live; the request names another ${what}`);
  });

  it('passes where tenant and environment are its own', async () => {
    for (const headers of [{ 'x-mintmark-tenant': 'acme' }, { 'x-mintmark-environment': 'live' }, {}]) {
      expect((await naming(headers)).status).toBe(200);
    }
  });

  it('that is wrong learns nothing of realms', async () => {
    const wrong = await ask(server.url, {
      path: PATH,
      key: 'sk_live_mmwrong',
      headers: { 'x-mintmark-environment': 'test' },
    });
    expect([wrong.status, wrong.code]).toEqual([401, 'UNAUTHENTICATED']);
  });
});
