import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dataOf, type RunningDaemon, startDaemon, temporaryDirectory } from '../support/daemon.ts';
import { type Stock, stockUp } from '../support/stock.ts';

const PYTHON = '/usr/bin/python3';
const SCRIPT = join(import.meta.dirname, 'verify_list.py');
const hasPython = spawnSync(PYTHON, ['-c', 'import cryptography']).status === 0;
const desk = temporaryDirectory();

let daemon: RunningDaemon;
let stock: Stock;

beforeAll(async () => {
  daemon = await startDaemon(join(desk.path, 'appliance'));
  stock = await stockUp({ url: daemon.url, key: daemon.live.secretKey }, 'lists', {
    requireFingerprint: false,
  });
});

afterAll(async () => {
  expect(await daemon.stop()).toBe(0);
  desk[Symbol.dispose]();
});

const document = async (path: string): Promise<Response> => fetch(`${daemon.url}/api/v1${path}`);

async function judge(
  list: string,
  ids: readonly string[],
): Promise<{ status: number | null; stdout: string }> {
  const { keys } = decodeJwt(await (await document('/trust-bundle')).text());
  return spawnSync(PYTHON, [SCRIPT], { input: JSON.stringify({ list, keys, ids }), encoding: 'utf8' });
}

describe.skipIf(!hasPython)('a revocation list, read by another implementation', () => {
  it('is good, and names the licences that were revoked and no other', async () => {
    const [revoked, banned, kept] = [await stock.license(), await stock.license(), await stock.license()];
    for (const { id } of [revoked, banned, kept]) await dataOf(stock.post(`/licenses/${id}/checkout`));
    await dataOf(stock.post(`/licenses/${revoked.id}/revoke`, { reason: 'stolen' }));
    await dataOf(stock.post(`/licenses/${banned.id}/ban`, { reason: 'fraud' }));
    const answer = await document('/revocations');
    expect(answer.headers.get('content-type')).toBe('application/jose');
    expect(answer.headers.get('cache-control')).toBe('public, max-age=30');
    const list = await answer.text();
    const found = await judge(list, [kept.id, revoked.id, banned.id]);
    expect(found.status).toBe(0);
    expect(JSON.parse(found.stdout)).toMatchObject({ env: 'live', named: [revoked.id, banned.id] });

    const [head = '', payload = '', signature = ''] = list.split('.');
    const body = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
    const emptied = Buffer.from(JSON.stringify({ ...body, licenses: [] })).toString('base64url');
    expect((await judge([head, emptied, signature].join('.'), [])).status).toBe(1);
  });

  it('costs an answer without a body to whoever has it, and says of the test environment what holds there', async () => {
    const held = await document('/revocations');
    await held.text();
    const etag = String(held.headers.get('etag'));
    const again = await fetch(`${daemon.url}/api/v1/revocations`, { headers: { 'if-none-match': etag } });
    expect([again.status, await again.text()]).toEqual([304, '']);
    const test = await judge(await (await document('/revocations?env=test')).text(), []);
    expect(JSON.parse(test.stdout)).toMatchObject({ env: 'test' });
    expect((await document('/tenants/nobody/revocations')).status).toBe(404);
  });
});
