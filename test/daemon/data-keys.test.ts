import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dataOf, type RunningDaemon, send, startDaemon, temporaryDirectory } from '../support/daemon.ts';
import { sendAsOperator } from '../support/operator-socket.ts';
import { type Stock, stockUp } from '../support/stock.ts';

const directory = temporaryDirectory();
const data = join(directory.path, 'appliance', 'data');
let daemon: RunningDaemon;
let stock: Stock;

beforeAll(async () => {
  daemon = await startDaemon(join(directory.path, 'appliance'));
  stock = await stockUp({ url: daemon.url, key: daemon.live.secretKey }, 'keys', {
    metadata: { note: 'policy' },
  });
});

afterAll(async () => {
  expect(await daemon.stop()).toBe(0);
  directory[Symbol.dispose]();
});

const realm = { 'x-mintmark-tenant': 'dev', 'x-mintmark-environment': 'live' };
const rotate = (kind: 'data' | 'index', body: object, headers: Record<string, string> = {}) =>
  sendAsOperator(data, { method: 'POST', path: `/system/${kind}-keys/rotate`, body, headers });

interface DataKey {
  readonly tenant: string | null;
  readonly environment: string | null;
  readonly version: number;
  readonly resealing: {
    readonly resealed: number;
    readonly columnsDone: number;
    readonly columns: number;
    readonly unreadable: number;
  } | null;
}

async function dataKey(environment: string | null): Promise<DataKey> {
  const { body } = await sendAsOperator(data, { method: 'GET', path: '/system/data-keys' });
  const keys = body['data'] as readonly DataKey[]; // the route's schema
  return keys.find((key) => key.environment === environment) as DataKey; // every realm has one
}

/** When every column has been walked over once. */
async function walkedOver(environment: string | null): Promise<NonNullable<DataKey['resealing']>> {
  for (;;) {
    const { resealing } = await dataKey(environment);
    if (resealing?.columnsDone === resealing?.columns && resealing !== null) return resealing;
    await wait(20);
  }
}

describe('values at rest', () => {
  it('are put under a new key while serving, whatever feature has sealed them, and open afterwards', async () => {
    const personal = { name: 'Planted', userEmail: 'p@example.com', userName: 'P', metadata: { note: 'x' } };
    const license = await stock.license(personal);
    const headers = { 'idempotency-key': 'kept' };
    const first = await stock.post(
      '/products',
      { name: 'Kept', code: 'kept', metadata: { note: 'y' } },
      headers,
    );
    await dataOf(stock.post('/entitlements', { code: 'kept', name: 'Kept', metadata: { note: 'z' } }));
    const body = { fingerprint: 'a-machine-of-ours', name: 'Machine', userEmail: 'p@example.com' };
    const machine = await dataOf(stock.post(`/licenses/${license.id}/machines`, body));
    await dataOf(stock.post(`/licenses/${license.id}/suspend`, { reason: 'a reason' }));
    await dataOf(stock.post(`/licenses/${license.id}/reinstate`, { reason: 'a reason' }));
    // Usage is written behind.
    await wait(1500);
    expect((await rotate('data', {}, realm)).body).toEqual({ data: { version: 2 } });
    const walked = await walkedOver('live');
    expect(walked.unreadable).toBe(0);
    // Key and person of the licence, metadata of four kinds, fingerprint and name of the machine, an answer, two reasons.
    expect(walked.resealed).toBeGreaterThanOrEqual(10);
    expect((await stock.get(`/licenses/${license.id}`)).body['data']).toMatchObject(personal);
    const key = (await dataOf(stock.post(`/licenses/${license.id}/reveal`)))['key'];
    expect(key).toBe(license.key);
    expect((await stock.get(`/machines/${String(machine['id'])}`)).body['data']).toMatchObject({
      name: 'Machine',
    });
    const again = await stock.post(
      '/products',
      { name: 'Kept', code: 'kept', metadata: { note: 'y' } },
      headers,
    );
    expect([again.status, again.body]).toEqual([first.status, first.body]);
    expect(
      (await stock.post('/licenses/validate-key', { key: 'APP-0000-0000-0000-0000' })).body['data'],
    ).toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('of the appliance itself are under a key of their own', async () => {
    expect((await rotate('data', { appliance: true })).body).toEqual({ data: { version: 2 } });
    expect((await walkedOver(null)).unreadable).toBe(0);
  });

  it('are found under a new index key, and those before it under the old one', async () => {
    const before = await stock.license({ userEmail: 'before@example.com' });
    expect((await rotate('index', { appliance: true })).status).toBe(200);
    expect((await rotate('index', {}, realm)).status).toBe(200);
    const after = await stock.license({ userEmail: 'after@example.com' });
    for (const { id, key } of [before, after]) {
      expect((await stock.post('/licenses/lookup', { key })).body['data']).toMatchObject({ id });
    }
    const found = await stock.get('/licenses?userEmail=before@example.com');
    expect(found.body['data']).toMatchObject([{ id: before.id }]);
  });

  it('are rotated by an operator alone', async () => {
    const target = { url: daemon.url, key: daemon.live.secretKey };
    const asKey = await send(target, { method: 'POST', path: '/system/data-keys/rotate', body: {} });
    expect([401, 403, 404]).toContain(asKey.status);
  });
});
