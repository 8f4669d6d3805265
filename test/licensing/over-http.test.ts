import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { auditDatabase } from '../campaigns/audit-database.ts';
import { type Story, storyOn } from '../cli/story.ts';
import { dataOf, type RunningDaemon, send, startDaemon, temporaryDirectory } from '../support/daemon.ts';
import { reach, type Stock, stockUp } from '../support/stock.ts';

const desk = temporaryDirectory();
const at = (name: string): string => join(desk.path, name);

let daemon: RunningDaemon;
let stock: Stock;
let story: Story;
let names: { readonly productId: string; readonly policyId: string };

interface License {
  readonly id: string;
  readonly key: string;
}

/** The licences of an answer to a batch. */
function licensesIn(body: Readonly<Record<string, unknown>>): readonly License[] {
  return (body['data'] as { readonly licenses: readonly License[] }).licenses; // the route's answer
}

/** How many living licences there are. */
async function total(): Promise<number> {
  const { licenses } = await dataOf(stock.get('/analytics'));
  return (licenses as { readonly total: number }).total; // the route's answer
}

beforeAll(async () => {
  daemon = await startDaemon(at('appliance'));
  stock = await stockUp({ url: daemon.url, key: daemon.live.secretKey }, 'batch', {
    requireFingerprint: false,
  });
  names = { productId: stock.productId, policyId: stock.policyId };
  story = storyOn(join(daemon.dir, 'data'));
});

afterAll(async () => {
  story[Symbol.dispose]();
  expect(await daemon.stop()).toBe(0);
  expect(auditDatabase(join(at('appliance'), 'data', 'mintmark.db')).problems).toEqual([]);
  desk[Symbol.dispose]();
});

/** A key with these scopes, which may issue so many a day. */
async function keyOf(scopes: readonly string[], issueLimitPerDay: number): Promise<string> {
  const made = await dataOf(stock.post('/api-keys', { name: 'Limited', scopes, issueLimitPerDay }));
  return String(made['key']);
}

describe('POST /licenses/batch', () => {
  it('answers all keys in full, which validate; repeated with its key it answers the same and keeps none', async () => {
    const body = { template: { ...names, name: 'Lab' }, count: 150 };
    const headers = { 'idempotency-key': 'batch-1' };
    const first = await stock.post('/licenses/batch', body, headers);
    expect(first.status).toBe(201);
    const licenses = licensesIn(first.body);
    expect(new Set(licenses.map(({ key }) => key)).size).toBe(150);
    const valid = await dataOf(stock.post('/licenses/validate-key', { key: licenses[149]?.key }));
    expect(valid).toMatchObject({ valid: true, license: { id: licenses[149]?.id } });

    const second = await stock.post('/licenses/batch', body, headers);
    expect([second.status, second.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
    const used = { lastValidatedAt: expect.any(String) as string, usesCount: 1 };
    const last = { ...licenses[149], ...used };
    expect(licensesIn(second.body)).toEqual([...licenses.slice(0, 149), last]);
    expect(await total()).toBe(150);
  });

  it('creates nothing when not all of it can be created', async () => {
    const before = await total();
    const wrong = { ...names, policyId: 'pol_none' };
    const missing = await stock.post('/licenses/batch', { items: [names, wrong] });
    expect([missing.status, missing.body['code']]).toEqual([404, 'NOT_FOUND']);
    const limited = { url: daemon.url, key: await keyOf(['licenses:write'], 10) };
    const send10 = (count: number) => reach(limited).post('/licenses/batch', { template: names, count });
    const over = await send10(11);
    expect([over.status, over.body['code']]).toEqual([422, 'ISSUE_LIMIT']);
    expect(await total()).toBe(before);
    expect((await send10(10)).status).toBe(201);
    expect((await send10(1)).body['code']).toBe('ISSUE_LIMIT');
    const imported = await reach(limited).post('/licenses/batch', {
      items: [{ ...names, key: 'MY-OWN-KEY-1' }],
    });
    expect(imported.body['code']).toBe('INSUFFICIENT_SCOPE');
    expect(await total()).toBe(before + 10);
  });

  it('takes one batch at a time, and tells the other when to come back', async () => {
    const before = await total();
    const body = { template: names, count: 300 };
    const answers = await Promise.all([
      stock.post('/licenses/batch', body),
      stock.post('/licenses/batch', body),
    ]);
    const told = answers.map(({ status, body: { code }, headers }) => [
      status,
      code,
      headers.get('retry-after'),
    ]);
    expect(told.sort()).toEqual([
      [201, undefined, null],
      [409, 'CONFLICT', '1'],
    ]);
    expect(await total()).toBe(before + 300);
  });

  it('takes up to 1 MB, and refuses a list with something unknown by its place', async () => {
    const metadata = { note: 'x'.repeat(400) };
    const items = Array.from({ length: 300 }, () => ({ ...names, metadata }));
    const large = await stock.post('/licenses/batch', { items });
    expect([large.status, licensesIn(large.body).length]).toEqual([201, 300]);
    const unknown = await stock.post('/licenses/batch', { items: [names, { ...names, colour: 'red' }] });
    expect(unknown.status).toBe(422);
    expect(unknown.body['errors']).toMatchObject([{ path: 'items.1.colour', code: 'UNKNOWN_MEMBER' }]);
  });
});

describe('GET /analytics', () => {
  it('tells licences, machines, seats, files, activations and validations', async () => {
    const license = await stock.license();
    const before = await dataOf(stock.get('/analytics'));
    await stock.post(`/licenses/${license.id}/machines`, { fingerprint: 'analytics-machine' });
    await stock.post(`/licenses/${license.id}/checkout`, { fingerprint: 'analytics-machine' });
    await stock.post('/licenses/validate-key', { key: license.key, fingerprint: 'analytics-machine' });
    await stock.post(`/licenses/${license.id}/suspend`);
    await stock.post('/licenses/validate-key', { key: license.key, fingerprint: 'analytics-machine' });
    const after = await dataOf(stock.get('/analytics'));
    const { active } = (before['licenses'] as { byStatus: { active: number } }).byStatus;
    expect(after).toMatchObject({
      licenses: { byStatus: { active: active - 1, suspended: 1 } },
      machines: { total: 1, alive: 1, dead: 0 },
      validations: { byCode: { SUSPENDED: 1 } },
      files: { outstanding: 1 },
      seats: [{ productId: stock.productId, productCode: 'batch', used: 1 }],
    });
    expect((after['activations'] as { count: number }[]).at(-1)?.count).toBe(1);
  });

  it('is for keys with its scope, in their own realm', async () => {
    const key = await keyOf(['licenses:read'], 1);
    const refused = await send({ url: daemon.url, key }, { method: 'GET', path: '/analytics' });
    expect([refused.status, refused.body['code']]).toEqual([403, 'INSUFFICIENT_SCOPE']);
    const test = { url: daemon.url, key: daemon.test.secretKey };
    const other = await dataOf(send(test, { method: 'GET', path: '/analytics' }));
    expect(other).toMatchObject({ licenses: { total: 0 }, machines: { total: 0 }, seats: [] });
  });
});

describe('the command line', () => {
  it('writes the keys of a batch of any size into a new file of the owner alone', async () => {
    const out = at('keys.jsonl');
    const args = ['license', 'batch', '--product-id', names.productId, '--policy-id', names.policyId];
    const said = await story.text([...args, '--count', '1200', '--name', 'Stock', '--out', out]);
    expect(said).toBe(`${out}: 1200 licences\n`);
    expect(statSync(out).mode & 0o777).toBe(0o600);
    const rows = readFileSync(out, 'utf8').trimEnd().split('\n');
    const licenses = rows.map((row) => JSON.parse(row) as License & { readonly name: string });
    expect(new Set(licenses.map(({ key }) => key)).size).toBe(1200);
    expect(licenses.every(({ name }) => name === 'Stock')).toBe(true);
    const found = await dataOf(stock.post('/licenses/lookup', { key: licenses[1199]?.key }));
    expect(found['id']).toBe(licenses[1199]?.id);
  });

  it('makes no licence whose key would be lost or read by others', async () => {
    const before = await total();
    const args = ['license', 'batch', '--product-id', names.productId, '--policy-id', names.policyId];
    writeFileSync(at('taken'), 'mine');
    for (const more of [
      ['--count', '2'],
      ['--count', '2', '--out', at('taken')],
      ['--count', '2', '--out', at('no/such/place')],
      ['--count', 'many', '--out', at('new')],
      ['--count', '0', '--out', at('new')],
    ]) {
      expect((await story.run([...args, ...more])).code).toBe(EXIT.usage);
    }
    expect(readFileSync(at('taken'), 'utf8')).toBe('mine');
    expect(existsSync(at('new'))).toBe(false);
    expect(await total()).toBe(before);
  });

  it('shows the figures on one screen', async () => {
    const screen = await story.text(['analytics']);
    for (const part of ['licences', 'suspended: ', 'machines', 'activations in 30 days', 'seats in use']) {
      expect(screen).toContain(part);
    }
    const figures = await story.data(['analytics']);
    expect(figures).toMatchObject({ machines: { total: 1 }, files: { outstanding: 1 } });
  });
});
