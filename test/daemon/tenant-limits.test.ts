import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { crowd, inParallel } from '../support/clients.ts';
import {
  type Answered,
  dataOf,
  type RunningDaemon,
  send,
  startDaemon,
  temporaryDirectory,
} from '../support/daemon.ts';
import { type Stock, stockUp } from '../support/stock.ts';
import { askSocket } from '../access/socket.ts';

const UNBOUND = { requireFingerprint: false, maxMachines: 1 };
/** Files a day of a licence with one seat: 20, and 30 for the seat. */
const ONE_SEAT = 50;
const MANY = { addresses: 1 };
const directory = temporaryDirectory();
let daemon: RunningDaemon;
let stock: Stock;

beforeAll(async () => {
  daemon = await startDaemon(directory.path);
  stock = await stockUp({ url: daemon.url, key: daemon.live.secretKey }, 'app', UNBOUND);
});
afterAll(async () => {
  await daemon.stop();
  directory[Symbol.dispose]();
});

const operator = async (method: string, path: string, body?: unknown) => {
  const socketPath = join(directory.path, 'data', 'run', 'operator.sock');
  return askSocket(socketPath, { method, path: `/api/v1${path}`, body });
};
/** Sends one request with a licence key alone; `repeat` is its idempotency key. */
const asHolder = (
  key: string,
  path: string,
  { body = {}, repeat }: { readonly body?: unknown; readonly repeat?: string } = {},
) => {
  const headers = {
    authorization: `License ${key}`,
    ...(repeat !== undefined && { 'idempotency-key': repeat }),
  };
  return send({ url: daemon.url }, { method: 'POST', path, body, headers });
};

/** The limits of the tenant, and what it has in the live environment. */
async function tenant() {
  const { body } = await operator('GET', '/tenants');
  const [first] = body['data'] as { id: string; usage: { live: { records: number } } }[];
  if (first === undefined) throw new Error('a dev appliance has a tenant');
  return { id: first.id, live: first.usage.live };
}

async function setLimits(limits: Record<string, number | null>): Promise<void> {
  const { id } = await tenant();
  expect((await operator('PATCH', `/tenants/${id}`, limits)).data).toMatchObject(limits);
}

async function rowsOf(path: string): Promise<Record<string, unknown>[]> {
  const answer = await stock.get(path);
  return answer.body['data'] as Record<string, unknown>[]; // lists of the API hold objects
}

describe('the holder of a licence', () => {
  it('gets 50 files a day for one seat, of however many he asks for at once over HTTP', async () => {
    const license = await stock.license();
    const path = `/licenses/${license.id}/checkout`;
    const headers = { authorization: `License ${license.key}` };
    const repeated = { repeat: randomUUID() };
    const first = await asHolder(license.key, path, repeated);
    const answers: Answered[] = [];
    await using clients = crowd(daemon.url, MANY);
    await inParallel(ONE_SEAT + 29, 50, async () => {
      answers.push(await clients.send({ method: 'POST', path, body: {}, headers }));
    });
    const refused = answers.filter(({ status }) => status !== 200);
    expect(answers.length - refused.length).toBe(ONE_SEAT - 1);
    for (const { status, body, headers: said } of refused) {
      expect([status, body['code']]).toEqual([422, 'FILE_LIMIT_EXCEEDED']);
      expect(Number(said.get('retry-after'))).toBeGreaterThan(0);
      expect(Number(said.get('retry-after'))).toBeLessThanOrEqual(86_400);
    }
    expect(await rowsOf(`/licenses/${license.id}/files?limit=100`)).toHaveLength(ONE_SEAT);
    const entries = await rowsOf(`/audit?subject=${license.id}&order=newest&limit=100`);
    expect(entries.filter(({ outcome }) => outcome === 'refused')).toHaveLength(1);
    // An answer that was given is given again, and costs nothing.
    const again = await asHolder(license.key, path, repeated);
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([200, 'true']);
    expect(again.body).toEqual(first.body);
    const token = await asHolder(license.key, path, { body: { format: 'jwt' } });
    expect(token.body['code']).toBe('FILE_LIMIT_EXCEEDED');
    expect((await stock.post(path)).status).toBe(200);
    const valid = await dataOf(stock.post('/licenses/validate-key', { key: license.key }));
    expect(valid).toMatchObject({ valid: true });
  });
});

describe('the limits of a tenant', () => {
  it('stop creation and nothing else, each by itself', async () => {
    const license = await stock.license();
    const { key } = license;
    const machine = await dataOf(
      stock.post(`/licenses/${license.id}/machines`, { fingerprint: 'a-machine-of-ours' }),
    );
    const goesOn = async (): Promise<void> => {
      const asked = { key, fingerprint: 'a-machine-of-ours' };
      expect(await dataOf(stock.post('/licenses/validate-key', asked))).toMatchObject({ valid: true });
      expect((await asHolder(key, `/machines/${String(machine['id'])}/heartbeat`)).status).toBe(200);
    };
    const refuses = async (path: string, body: unknown): Promise<void> => {
      const answer = await stock.post(path, body);
      expect([path, answer.status, answer.body['code']]).toEqual([path, 422, 'TENANT_LIMIT']);
    };
    const sale = { productId: stock.productId, policyId: stock.policyId };
    const second = await stock.license();

    await setLimits({ maxLicenses: 1 });
    await refuses('/licenses', sale);
    await goesOn();
    await setLimits({ maxLicenses: null, maxMachines: 1 });
    await refuses(`/licenses/${second.id}/machines`, { fingerprint: 'another-machine' });
    await goesOn();
    await setLimits({ maxMachines: null, maxFilesPerDay: 1 });
    expect((await stock.post(`/licenses/${license.id}/checkout`)).status).toBe(200);
    await refuses(`/licenses/${license.id}/checkout`, {});
    await goesOn();
    const { live } = await tenant();
    await setLimits({ maxFilesPerDay: null, maxRecords: live.records });
    await refuses('/licenses', sale);
    await refuses('/licenses/batch', { template: sale, count: 2 });
    await refuses(`/licenses/${second.id}/machines`, { fingerprint: 'another-machine' });
    await refuses(`/licenses/${license.id}/checkout`, {});
    await refuses('/products', { name: 'More', code: 'more' });
    await refuses('/policies', { productId: stock.productId, maxMachines: 1 });
    await refuses('/entitlements', { code: 'pro' });
    await refuses('/api-keys', { name: 'more', scopes: ['licenses:read'] });
    expect((await tenant()).live.records).toBe(live.records);
    await goesOn();
    expect((await stock.post(`/licenses/${second.id}/revoke`, { reason: 'over' })).status).toBe(200);
    const gone = await send(
      { url: daemon.url, key: daemon.live.secretKey },
      { method: 'DELETE', path: `/machines/${String(machine['id'])}` },
    );
    expect(gone.status).toBe(200);
    await setLimits({ maxRecords: null });
    await stock.license();
  });
});
