import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { auditDatabase } from '../campaigns/audit-database.ts';
import {
  type Answered,
  dataOf,
  type RunningDaemon,
  startDaemon,
  temporaryDirectory,
} from '../support/daemon.ts';
import { reach, type Stock, stockUp } from '../support/stock.ts';

const SAME = 100;

let directory: ReturnType<typeof temporaryDirectory>;
let daemon: RunningDaemon;
let stock: Stock;

const target = (): { url: string; key: string } => ({ url: daemon.url, key: daemon.live.secretKey });
const at = (name: string): string => join(directory.path, name);

async function start(env: Record<string, string> = {}): Promise<void> {
  daemon = await startDaemon(at('appliance'), { env });
}

beforeEach(() => {
  directory = temporaryDirectory();
});

afterEach(async () => {
  expect(await daemon.stop()).toBe(0);
  expect(auditDatabase(join(at('appliance'), 'data', 'mintmark.db')).problems).toEqual([]);
  directory[Symbol.dispose]();
});

async function listed(path: string): Promise<unknown[]> {
  const { body } = await stock.get(path);
  return body['data'] as unknown[]; // a list
}

describe('a repeated request over HTTP', () => {
  it(`has one effect and one answer, ${String(SAME)} times at once; another body is refused; a secret is shown once`, async () => {
    await start();
    stock = await stockUp(target(), 'repeat');
    const body = { productId: stock.productId, policyId: stock.policyId, name: 'Once' };
    const headers = { 'idempotency-key': 'the-same' };
    const answers = await Promise.all(
      Array.from({ length: SAME }, () => stock.post('/licenses', body, headers)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map((answer) => JSON.stringify(answer.body))).size).toBe(1);
    const replayed = answers.filter((answer) => answer.headers.get('idempotent-replayed') === 'true');
    expect(replayed).toHaveLength(SAME - 1);
    expect(await listed('/licenses')).toHaveLength(1);

    const other = await stock.post('/licenses', { ...body, name: 'Twice' }, headers);
    expect([other.status, other.body['code']]).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
    // The key belongs to its route: elsewhere it is another key.
    expect((await stock.post('/entitlements', { code: 'other', name: 'Other' }, headers)).status).toBe(201);

    await showsASecretOnce();
    await triesAgainWhatWasRefused(body);
  });

  it('gives the committed answer after a kill between commit and answer', async () => {
    writeFileSync(at('die.mjs'), DIE_BEFORE_ANSWERING);
    const fatal = { NODE_OPTIONS: `--import=${at('die.mjs')}` };
    await start(fatal);
    stock = await stockUp(target(), 'fatal');
    const license = await stock.license();
    const requests = [
      { path: '/licenses', body: { productId: stock.productId, policyId: stock.policyId, name: 'Fatal' } },
      { path: `/licenses/${license.id}/machines`, body: { fingerprint: 'fatal-machine' } },
      { path: `/licenses/${license.id}/checkout`, body: { fingerprint: 'fatal-machine' } },
      { path: '/api-keys', body: { name: 'Fatal', scopes: ['licenses:read'] } },
    ];
    const told: Answered[] = [];
    for (const [number, { path, body }] of requests.entries()) {
      const key = { 'idempotency-key': `fatal-${String(number)}` };
      const exited = once(daemon.child, 'exit');
      await expect(stock.post(path, body, { ...key, 'x-test-die': '1' })).rejects.toThrow(TypeError);
      expect((await exited)[1]).toBe('SIGKILL');
      await start(fatal);
      stock = { ...stock, ...reach(target()) };
      const again = await stock.post(path, body, key);
      expect(again.headers.get('idempotent-replayed'), path).toBe('true');
      const third = await stock.post(path, body, key);
      expect(third.body, path).toEqual(again.body);
      told.push(again);
    }
    // Each thing is there once; the secret of the API key was lost with its answer, and the replay says so.
    expect(told.map(({ status }) => status)).toEqual([201, 201, 200, 200]);
    expect(told[3]?.body['data']).toMatchObject({ key: null, secretShown: true });
    expect(await listed('/licenses')).toHaveLength(2);
    expect(await listed(`/machines?licenseId=${license.id}`)).toHaveLength(1);
    expect(await listed(`/licenses/${license.id}/files`)).toHaveLength(1);
  });
});

async function showsASecretOnce(): Promise<void> {
  const body = { name: 'Shown once', scopes: ['licenses:read'] };
  const headers = { 'idempotency-key': 'secret' };
  const first = await dataOf(stock.post('/api-keys', body, headers));
  expect(first['key']).toMatch(/^sk_live_/);
  const second = await stock.post('/api-keys', body, headers);
  expect(second.status).toBe(200);
  expect(second.body['data']).toMatchObject({ id: first['id'], key: null, secretShown: true });
  expect(JSON.stringify(second.body)).not.toContain(String(first['key']));
}

/** A refusal changed nothing: the same key may be used when the reason for it is gone. */
async function triesAgainWhatWasRefused(body: Record<string, unknown>): Promise<void> {
  const headers = { 'idempotency-key': 'refused' };
  const refused = await stock.post('/licenses', { ...body, name: '' }, headers);
  expect(refused.status).toBe(422);
  expect((await stock.post('/licenses', { ...body, name: 'Now' }, headers)).status).toBe(201);
}

/**
 * Loaded into the daemon before its own code: an answer to a request with the header `x-test-die` is never written,
 * the process is gone instead, as after a power cut between the commit and the first byte.
 */
const DIE_BEFORE_ANSWERING = `
import { ServerResponse } from 'node:http';
for (const name of ['writeHead', 'write', 'end']) {
  const original = ServerResponse.prototype[name];
  ServerResponse.prototype[name] = function (...given) {
    if (this.req.headers['x-test-die'] !== undefined) process.kill(process.pid, 'SIGKILL');
    return original.apply(this, given);
  };
}
`;
