import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dataOf, type RunningDaemon, send, startDaemon, temporaryDirectory } from '../support/daemon.ts';

const directory = temporaryDirectory();
let daemon: RunningDaemon;

beforeAll(async () => {
  daemon = await startDaemon(directory.path);
});

afterAll(async () => {
  await daemon.stop();
  directory[Symbol.dispose]();
});

type Environment = 'live' | 'test';

const get = (path: string, environment: Environment = 'live') =>
  send({ url: daemon.url, key: daemon[environment].secretKey }, { method: 'GET', path });

const post = (path: string, body: object) =>
  dataOf(send({ url: daemon.url, key: daemon.live.secretKey }, { method: 'POST', path, body }));

async function rows(path: string, environment?: Environment): Promise<Record<string, unknown>[]> {
  const { status, body } = await get(path, environment);
  expect({ status, path }).toEqual({ status: 200, path });
  return body['data'] as Record<string, unknown>[]; // lists hold objects
}

async function issueLicense(): Promise<{ id: string; key: string }> {
  const product = await post('/products', { name: 'Editor', code: 'editor' });
  const policy = { productId: product['id'], name: 'Desktop', template: 'desktop_app' };
  const { id: policyId } = await post('/policies', policy);
  const person = { userEmail: 'jane@example.com', name: 'Jane Doe' };
  const license = await post('/licenses', { productId: product['id'], policyId, ...person });
  return { id: String(license['id']), key: String(license['key']) };
}

describe('a licence that was created', () => {
  it('is announced and recorded in its realm alone, without its key or its person', async () => {
    const license = await issueLicense();
    const [event] = await rows('/events?type=license.created');
    expect(event).toMatchObject({
      type: 'license.created',
      realm: { tenant: 'dev', environment: 'live' },
      data: { id: license.id },
    });
    const entry = (await rows('/audit?limit=100')).find(({ action }) => action === 'license.created');
    expect(entry).toMatchObject({ target: { kind: 'license', id: license.id }, outcome: 'done' });
    const told = JSON.stringify([event, entry]);
    for (const secret of [license.key, 'jane@example.com', 'Jane Doe']) expect(told).not.toContain(secret);
    expect((await rows('/events?type=license.*', 'test')).length).toBe(0);
    const elsewhere = await rows('/audit?limit=100', 'test');
    expect(elsewhere.filter(({ action }) => action === 'license.created')).toEqual([]);
  });

  it('is found again page by page, whatever the size of a page', async () => {
    const all = (await rows('/events?limit=100')).map(({ id }) => id);
    const found: unknown[] = [];
    for (let after = 0; ;) {
      const [one] = await rows(`/events?limit=1&after=${String(after)}`);
      if (one === undefined) break;
      found.push(one['id']);
      after = Number(one['position']);
    }
    expect(found).toEqual(all);
    expect(all.length).toBeGreaterThan(2);
  });
});

describe('a filter that names no event', () => {
  it('is refused with the list', async () => {
    const { status, body } = await get('/events?type=license.create');
    expect(status).toBe(422);
    expect(body).toMatchObject({
      code: 'VALIDATION_FAILED',
      errors: [{ path: 'type', code: 'UNKNOWN_EVENT' }],
    });
    expect(body['detail']).toContain('license.created');
  });
});

describe('whoever may not read events and entries', () => {
  it.each([
    ['/events', 'events:read'],
    ['/audit', 'audit:read'],
  ])('is refused %s without the scope %s', async (path, scope) => {
    const key = await post('/api-keys', { name: 'reader', scopes: ['products:read'] });
    const target = { url: daemon.url, key: String(key['key']) };
    const { status, body } = await send(target, { method: 'GET', path });
    expect({ status, code: body['code'] }).toEqual({ status: 403, code: 'INSUFFICIENT_SCOPE' });
    expect(body['detail']).toContain(scope);
    expect((await send({ url: daemon.url }, { method: 'GET', path })).status).toBe(401);
  });
});
