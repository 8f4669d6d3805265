import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditDatabase } from '../campaigns/audit-database.ts';
import { dataOf, type RunningDaemon, send, startDaemon, temporaryDirectory } from '../support/daemon.ts';
import { type Stock, stockUp } from '../support/stock.ts';

const directory = temporaryDirectory();
let daemon: RunningDaemon;
/** The same things in two realms of one tenant. */
let live: Stock;
let test: Stock;
let license: { readonly id: string; readonly key: string };
let machineId: string;
let entitlementId: string;

beforeAll(async () => {
  daemon = await startDaemon(join(directory.path, 'appliance'));
  live = await stockUp({ url: daemon.url, key: daemon.live.secretKey }, 'same', { floating: true });
  test = await stockUp({ url: daemon.url, key: daemon.test.secretKey }, 'same', { floating: true });
  license = await live.license({ userEmail: 'owner@live.example' });
  const path = `/licenses/${license.id}/machines`;
  machineId = String((await dataOf(live.post(path, { fingerprint: 'live-machine' })))['id']);
  entitlementId = String((await dataOf(live.post('/entitlements', { code: 'live', name: 'Live' })))['id']);
});

afterAll(async () => {
  expect(await daemon.stop()).toBe(0);
  expect(auditDatabase(join(daemon.dir, 'data', 'mintmark.db')).problems).toEqual([]);
  directory[Symbol.dispose]();
});

/** A request as the holder of a licence key, or with a publishable key. */
/** @param what method and path */
function as(headers: Record<string, string>, what: string, body?: unknown) {
  const [method = '', path = ''] = what.split(' ');
  return send({ url: daemon.url }, { method, path, body, headers });
}

const holding = (key: string): Record<string, string> => ({ authorization: `License ${key}` });

describe('ids of another realm inside a request', () => {
  it('are unknown in every body', async () => {
    const own = await test.license();
    const refs = { productId: test.productId, policyId: test.policyId };
    const requests: readonly (readonly [string, unknown])[] = [
      ['POST /policies', { productId: live.productId, template: 'desktop_app', name: 'x' }],
      ['POST /licenses', { ...refs, productId: live.productId }],
      ['POST /licenses', { ...refs, policyId: live.policyId }],
      ['POST /licenses', { ...refs, entitlementIds: [entitlementId] }],
      ['POST /licenses', { ...refs, ownEntitlements: [{ id: entitlementId }] }],
      [`POST /licenses/${own.id}/transfer`, { policyId: live.policyId }],
      [`PUT /licenses/${own.id}/entitlements/${entitlementId}`, {}],
      [`PUT /policies/${test.policyId}/entitlements/${entitlementId}`, {}],
    ];
    for (const [what, body] of requests) {
      const answer = await as({ authorization: `Bearer ${daemon.test.secretKey}` }, what, body);
      expect([404, 422], `${what} ${JSON.stringify(answer.body)}`).toContain(answer.status);
      // It is the id that is not there, not the route, and nothing else is wrong with the request.
      expect(JSON.stringify(answer.body), what).toMatch(/(prod|pol|ent)_[0-9A-Z]{26}/);
      expect(JSON.stringify(answer.body)).not.toMatch(/Product same|owner@live/);
    }
    // With ids of its own realm the last of each kind works: it was the id that was refused.
    expect((await test.post('/licenses', refs)).status).toBe(201);
  });

  it('find nothing as filters, and another realm’s cursor leads nowhere', async () => {
    for (const query of [
      `/policies?productId=${live.productId}`,
      `/licenses?productId=${live.productId}`,
      `/licenses?policyId=${live.policyId}`,
      '/licenses?userEmail=owner%40live.example',
      `/machines?licenseId=${license.id}`,
      '/machines?fingerprint=live-machine',
    ]) {
      const own = await live.get(query);
      expect((own.body['data'] as unknown[]).length, query).toBeGreaterThan(0);
      const foreign = await test.get(query);
      expect(foreign.status === 404 || (foreign.body['data'] as unknown[]).length === 0, query).toBe(true);
    }
    for (let number = 0; number < 3; number++) await live.license({ name: `Live ${String(number)}` });
    const page = await live.get('/licenses?limit=1');
    const { nextCursor } = page.body['pagination'] as { nextCursor: string };
    const foreign = await test.get(`/licenses?limit=100&cursor=${encodeURIComponent(nextCursor)}`);
    expect(JSON.stringify(foreign.body)).not.toContain(license.id);
    expect(JSON.stringify(foreign.body)).not.toContain('Live ');
  });

  it('share no idempotency key', async () => {
    const body = { code: 'shared', name: 'Shared' };
    const headers = { 'idempotency-key': 'both' };
    const first = await dataOf(live.post('/entitlements', body, headers));
    const second = await live.post('/entitlements', body, headers);
    const other = await test.post('/entitlements', body, headers);
    expect(second.headers.get('idempotent-replayed')).toBe('true');
    expect(other.headers.get('idempotent-replayed')).toBeNull();
    expect((other.body['data'] as { id: string }).id).not.toBe(first['id']);
  });

  it('share no licence key: a key that two realms hold is told apart by the credential', async () => {
    const key = 'IMPORTED-KEY-2345-6789-ABCD';
    for (const stock of [live, test]) {
      const made = await stock.post('/licenses', {
        productId: stock.productId,
        policyId: stock.policyId,
        key,
      });
      expect(made.status).toBe(201);
    }
    const looked = await Promise.all(
      [live, test].map((stock) => dataOf(stock.post('/licenses/lookup', { key }))),
    );
    expect(looked[0]?.['id']).not.toBe(looked[1]?.['id']);
    const body = { key, fingerprint: 'nobodys-machine' };
    const byPk = async (publishable: string): Promise<unknown> => {
      const headers = { 'x-publishable-key': publishable };
      return ((await dataOf(as(headers, 'POST /licenses/validate-key', body)))['license'] as { id: string })
        .id;
    };
    expect(await byPk(daemon.live.publishableKey)).toBe(looked[0]?.['id']);
    expect(await byPk(daemon.test.publishableKey)).toBe(looked[1]?.['id']);
  });
});

describe('a licence as its own credential', () => {
  it('activates, shows, keeps alive, checks out and removes its own machine', async () => {
    const own = await live.license();
    const made = await as(holding(own.key), 'POST /machines', { fingerprint: 'held-machine' });
    expect(made.status).toBe(201);
    const { id } = made.body['data'] as { id: string };
    expect((await as(holding(own.key), `GET /machines/${id}`)).status).toBe(200);
    expect((await as(holding(own.key), `POST /machines/${id}/heartbeat`, {})).status).toBe(200);
    expect((await as(holding(own.key), `POST /machines/${id}/checkout`, {})).status).toBe(200);
    const listed = await as(holding(own.key), 'GET /machines');
    expect((listed.body['data'] as { id: string }[]).map((machine) => machine.id)).toEqual([id]);
    expect((await as(holding(own.key), `DELETE /machines/${id}`)).status).toBe(200);
  });

  it('reaches no machine and no file of another licence', async () => {
    const own = await live.license();
    const wrong: string[] = [];
    for (const [method, path, body] of [
      ['GET', `/machines/${machineId}`],
      ['PATCH', `/machines/${machineId}`, { name: 'Mine now' }],
      ['DELETE', `/machines/${machineId}`],
      ['POST', `/machines/${machineId}/heartbeat`, {}],
      ['POST', `/machines/${machineId}/checkout`, {}],
      ['POST', `/licenses/${license.id}/checkout`, {}],
      ['GET', `/machines/${machineId}/challenge`],
    ] as const) {
      const answer = await as(holding(own.key), `${method} ${path}`, body);
      if (answer.status !== 404 && answer.status !== 403)
        wrong.push(`${method} ${path} ${String(answer.status)}`);
    }
    expect(wrong).toEqual([]);
    for (const path of [`/machines?licenseId=${license.id}`, '/machines?fingerprint=live-machine']) {
      expect(JSON.stringify((await as(holding(own.key), `GET ${path}`)).body), path).not.toContain(machineId);
    }
    expect(await dataOf(live.get(`/machines/${machineId}`))).toMatchObject({ name: null });
  });

  it('is refused everything that is the publisher’s', async () => {
    for (const [method, path] of [
      ['GET', '/products'],
      ['GET', '/licenses'],
      ['GET', `/licenses/${license.id}`],
      ['POST', `/licenses/${license.id}/reveal`],
      ['POST', `/licenses/${license.id}/suspend`],
      ['GET', '/api-keys'],
      ['GET', '/events'],
      ['GET', '/audit'],
    ] as const) {
      const answer = await as(holding(license.key), `${method} ${path}`, method === 'POST' ? {} : undefined);
      expect([answer.status, answer.body['code']], `${method} ${path}`).toEqual([403, 'INSUFFICIENT_SCOPE']);
    }
  });

  it('is refused when it is revoked, unknown, or of the other environment', async () => {
    const own = await live.license();
    await dataOf(live.post(`/licenses/${own.id}/revoke`, { reason: 'over' }));
    const foreign = await test.license();
    const unknown = `${license.key.slice(0, -4)}ZZZZ`;
    const activate = (key: string, more: Record<string, string> = {}) =>
      as({ ...holding(key), ...more }, 'POST /machines', { fingerprint: 'refused-machine' });
    expect((await activate(own.key)).status).toBeGreaterThanOrEqual(400);
    expect((await activate(foreign.key)).status).toBe(401);
    expect((await activate(unknown)).status).toBe(401);
    // The publishable key of its realm leads to it.
    expect((await activate(foreign.key, { 'x-publishable-key': daemon.test.publishableKey })).status).toBe(
      201,
    );
  });
});

describe('a publishable key', () => {
  it('validates and activates with the licence key, and nothing else', async () => {
    const headers = { 'x-publishable-key': daemon.live.publishableKey };
    const own = await live.license();
    const activated = await as(headers, 'POST /machines', { key: own.key, fingerprint: 'public-machine' });
    expect(activated.status).toBe(201);
    const body = { key: own.key, fingerprint: 'public-machine' };
    expect(await dataOf(as(headers, 'POST /licenses/validate-key', body))).toMatchObject({ valid: true });
    for (const [method, path] of [
      ['GET', '/machines'],
      ['GET', `/machines/${machineId}`],
      ['DELETE', `/machines/${machineId}`],
      ['POST', `/licenses/${license.id}/validate`],
      ['POST', `/licenses/${license.id}/checkout`],
      ['POST', '/licenses/lookup'],
      ['GET', '/licenses'],
    ] as const) {
      const answer = await as(headers, `${method} ${path}`, method === 'POST' ? {} : undefined);
      expect([answer.status, answer.body['code']], `${method} ${path}`).toEqual([403, 'INSUFFICIENT_SCOPE']);
    }
  });

  it('of the test realm does not find a live licence', async () => {
    const headers = { 'x-publishable-key': daemon.test.publishableKey };
    const validated = await dataOf(as(headers, 'POST /licenses/validate-key', { key: license.key }));
    expect(validated).toMatchObject({ valid: false, code: 'NOT_FOUND', license: null });
    const answer = await as(headers, 'POST /machines', { key: license.key, fingerprint: 'other-machine' });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect((await dataOf(live.get(`/licenses/${license.id}`)))['machineCount']).toBe(1);
  });
});
