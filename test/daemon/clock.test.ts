import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { contentDigest, type JsonObject, pinPublicKeys, verifyResponse } from '../../src/verify/index.ts';
import { auditDatabase } from '../campaigns/audit-database.ts';
import { mintmark } from '../cli/run-cli.ts';
import { dataOf, type RunningDaemon, startDaemon, temporaryDirectory } from '../support/daemon.ts';
import { fakeTime, fakeTimeLibrary, stepBy } from '../support/fake-time.ts';
import { sendAsOperator } from '../support/operator-socket.ts';
import { reach, type Stock, stockUp } from '../support/stock.ts';

const library = fakeTimeLibrary();
if (library === undefined) console.warn('steps of the clock are not tested here: faketime is not installed');

let directory: ReturnType<typeof temporaryDirectory>;
let daemon: RunningDaemon;
let stock: Stock;
let license: { readonly id: string; readonly key: string };

const MACHINE = { fingerprint: 'clock-machine' };

const clockFile = (): string => join(directory.path, 'clock');
const data = (): string => join(daemon.dir, 'data');

const stepTo = (offset: string): void => {
  stepBy(clockFile(), offset);
};

const faked = (): Record<string, string> => fakeTime(clockFile());

beforeEach(async () => {
  if (library === undefined) return;
  directory = temporaryDirectory();
  stepTo('+0d');
  daemon = await startDaemon(join(directory.path, 'appliance'), { env: faked() });
  stock = await stockUp({ url: daemon.url, key: daemon.live.secretKey }, 'clock');
  license = await stock.license();
  await dataOf(stock.post(`/licenses/${license.id}/machines`, MACHINE));
});

afterEach(async () => {
  if (library === undefined) return;
  expect(await daemon.stop()).toBe(0);
  expect(auditDatabase(join(daemon.dir, 'data', 'mintmark.db')).problems).toEqual([]);
  directory[Symbol.dispose]();
});

async function clockState(): Promise<unknown> {
  const status = await dataOf(sendAsOperator(data(), { method: 'GET', path: '/system/status' }));
  return status['state'];
}

/** Refused at once: the step is noticed by the request itself, not by a timer. */
async function refusesToSign(): Promise<void> {
  for (const path of [`/licenses/${license.id}/checkout`, '/licenses']) {
    const body = path === '/licenses' ? { productId: stock.productId, policyId: stock.policyId } : {};
    const { status, body: problem } = await stock.post(path, body);
    expect({ path, status, code: problem['code'] }).toEqual({ path, status: 503, code: 'CLOCK_SUSPECT' });
  }
  const validated = stock.post('/licenses/validate-key', { key: license.key, ...MACHINE });
  expect(await dataOf(validated)).toMatchObject({ valid: true, code: 'VALID' });
  expect((await stock.get(`/licenses/${license.id}`)).status).toBe(200);
  expect(await clockState()).toBe('clock-suspect');
}

async function issuedAt(): Promise<number> {
  const file = await dataOf(stock.post(`/licenses/${license.id}/checkout`, MACHINE));
  return Date.parse(String(file['issuedAt']));
}

const DAY = 86_400_000;

describe.skipIf(library === undefined)('a wall clock that is stepped while the appliance runs', () => {
  it.each([
    ['a day ahead', '+1d', DAY],
    ['a day back', '-23h', -23 * 3_600_000],
  ])('%s stops signing, not validation, until an operator says it is right', async (_, offset, step) => {
    const before = await issuedAt();
    stepTo(offset);
    await refusesToSign();
    const told = await mintmark([
      ...['clock', 'set-trusted', '--data-dir', data(), '--reason', 'compared with the radio clock'],
    ]);
    expect(told).toMatchObject({ code: 0, stderr: '' });
    expect(await clockState()).toBe('ready');
    // Signed by the accepted clock, in either direction.
    expect(Math.abs((await issuedAt()) - before - step)).toBeLessThan(10 * 60_000);
  });

  it('stays under suspicion over a restart, and when the clock goes back to where it was', async () => {
    const leaked = await dataOf(stock.post('/api-keys', { name: 'leaked', scopes: ['licenses:read'] }));
    stepTo('+1d');
    await refusesToSign();
    // Whoever turns the clock must not keep a leaked key alive with it.
    expect((await stock.post(`/api-keys/${String(leaked['id'])}/revoke`, {})).status).toBe(200);
    stepTo('+0d');
    await refusesToSign();
    expect(await daemon.stop()).toBe(0);
    daemon = await startDaemon(join(directory.path, 'appliance'), { env: faked() });
    stock = { ...stock, ...reach({ url: daemon.url, key: daemon.live.secretKey }) };
    await refusesToSign();
  });

  it('leaves answers signed, at trusted time, and marks them', async () => {
    const bundle = await (await fetch(`${daemon.url}/api/v1/trust-bundle`)).text();
    const payload = JSON.parse(Buffer.from(bundle.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
      readonly keys: readonly { readonly purpose: string; readonly jwk: JsonObject }[];
    }; // docs/formats/trust-bundle.md
    const response = payload.keys.filter(({ purpose }) => purpose === 'response').map(({ jwk }) => jwk);
    const trust = pinPublicKeys({ license: [], response });
    stepTo('+1d');
    const [nonce, path] = ['a-nonce-of-the-clock', '/api/v1/licenses/validate-key'];
    const body = JSON.stringify({ key: license.key, nonce, ...MACHINE });
    const headers = { 'content-type': 'application/json', 'content-digest': contentDigest(body) };
    const answer = await fetch(`${daemon.url}${path}`, { method: 'POST', headers, body });
    const given = { status: answer.status, headers: answer.headers, body: await answer.text() };
    const verdict = verifyResponse({ method: 'POST', path, body, nonce }, given, { trust, product: 'any' });
    expect(verdict).toMatchObject({ code: 'VALID', licenseValid: true, clockSuspect: true });
    expect(await clockState()).toBe('clock-suspect');
  });

  it('by less than five minutes alarms nobody', async () => {
    stepTo('+4m');
    expect((await stock.post(`/licenses/${license.id}/checkout`, MACHINE)).status).toBe(200);
    stepTo('-4m');
    expect((await stock.post(`/licenses/${license.id}/checkout`, MACHINE)).status).toBe(200);
    expect(await clockState()).toBe('ready');
  });
});
