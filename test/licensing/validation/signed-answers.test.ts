import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  contentDigest,
  type SignedRequest,
  type SignedResponse,
  type TrustBundle,
  verifyResponse,
  verifyTrustBundle,
} from '../../../src/verify/index.ts';
import { auditDatabase } from '../../campaigns/audit-database.ts';
import { type RunningDaemon, startDaemon, temporaryDirectory } from '../../support/daemon.ts';
import { sendAsOperator } from '../../support/operator-socket.ts';
import { type Stock, stockUp } from '../../support/stock.ts';

const desk = temporaryDirectory();

let daemon: RunningDaemon;
let stock: Stock;
let license: { readonly id: string; readonly key: string };
let trust: TrustBundle;

const operator = (method: 'GET' | 'POST', path: string, body?: unknown) =>
  sendAsOperator(join(daemon.dir, 'data'), body === undefined ? { method, path } : { method, path, body });

/** The bundle of a tenant, believed by the root its operator sees. */
async function trustIn(tenant: Readonly<Record<string, unknown>>): Promise<TrustBundle> {
  const text = await (
    await fetch(`${daemon.url}/api/v1/tenants/${String(tenant['code'])}/trust-bundle`)
  ).text();
  const answer = verifyTrustBundle(text, { roots: tenant['roots'] as string[] }); // fingerprints, by the route's schema
  if (answer.trust === undefined) throw new Error(answer.message);
  return answer.trust;
}

beforeAll(async () => {
  daemon = await startDaemon(join(desk.path, 'appliance'));
  stock = await stockUp({ url: daemon.url, key: daemon.live.secretKey }, 'signed', {
    requireFingerprint: false,
  });
  license = await stock.license();
  const { body } = await operator('GET', '/tenants');
  const [tenant = {}] = body['data'] as Record<string, unknown>[]; // the route's list
  trust = await trustIn(tenant);
});

afterAll(async () => {
  expect(await daemon.stop()).toBe(0);
  expect(auditDatabase(join(daemon.dir, 'data', 'mintmark.db')).problems).toEqual([]);
  desk[Symbol.dispose]();
});

interface Asking {
  readonly path?: string;
  readonly key?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const NOWHERE = '/licenses/lic_00000000000000000000000000/validate';

const newNonce = (): string => randomBytes(16).toString('base64url');

/** Sends a body with a nonce; `digest` null sends none. */
async function ask(
  body: Readonly<Record<string, unknown>>,
  { path = '/licenses/validate-key', key, headers = {} }: Asking = {},
): Promise<{
  readonly request: SignedRequest;
  readonly response: SignedResponse;
  readonly json: Record<string, unknown>;
}> {
  const nonce = typeof body['nonce'] === 'string' ? body['nonce'] : newNonce();
  const text = JSON.stringify({ ...body, nonce });
  const answer = await fetch(`${daemon.url}/api/v1${path}`, {
    method: 'POST',
    body: text,
    headers: {
      'content-type': 'application/json',
      'content-digest': contentDigest(text),
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      ...headers,
    },
  });
  const request = { method: 'POST', path: `/api/v1${path}`, body: text, nonce };
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const response = { status: answer.status, headers: answer.headers, body: bytes };
  return {
    request,
    response,
    json: JSON.parse(Buffer.from(bytes).toString('utf8')) as Record<string, unknown>,
  };
}

/** The verdict of an application that holds the trust bundle. */
async function judged(
  body: Readonly<Record<string, unknown>>,
  asking: Asking & { readonly trust?: TrustBundle; readonly environment?: 'live' | 'test' } = {},
) {
  const { trust: held = trust, environment } = asking;
  const { request, response } = await ask(body, asking);
  return {
    ...verifyResponse(request, response, { trust: held, product: 'any', environment }),
    status: response.status,
  };
}

describe('the answer to a validation with a nonce', () => {
  it('is signed by the response key of the realm, and repeats the nonce', async () => {
    const nonce = newNonce();
    const { request, response, json } = await ask({ key: license.key, nonce });
    expect(verifyResponse(request, response, { trust, product: 'any' })).toMatchObject({
      code: 'VALID',
      licenseValid: true,
    });
    expect(json['data']).toMatchObject({ valid: true, nonce, clockSuspect: false });
    expect(response.headers).toBeInstanceOf(Headers);
    const input = new Map(response.headers).get('signature-input') ?? '';
    const covered =
      '("@status" "content-type" "content-digest" "@method";req "@path";req "content-digest";req)';
    expect(input).toMatch(
      /^mm=\(.*\);created=\d+;expires=\d+;keyid="[^"]{16}";nonce="[^"]+";tag="mm-validate"$/,
    );
    expect(input).toContain(covered);
    const [, created, expires] = /created=(\d+);expires=(\d+)/.exec(input) ?? [];
    expect(Number(expires) - Number(created)).toBe(60);
  });

  it('is signed on the route by id, too', async () => {
    const asking = { path: `/licenses/${license.id}/validate`, key: daemon.live.secretKey };
    expect(await judged({}, asking)).toMatchObject({ status: 200, code: 'VALID', licenseValid: true });
  });

  it('is not signed without a nonce, and says so', async () => {
    const { status, body, headers } = await stock.post('/licenses/validate-key', { key: license.key });
    expect([status, headers.get('signature'), headers.get('content-digest')]).toEqual([200, null, null]);
    expect(body['data']).toMatchObject({ nonce: null, clockSuspect: false });
  });

  it('is signed also when there is no such key, by the only live realm there is', async () => {
    const verdict = await judged({ key: 'APP-0000-0000-0000-0000' });
    expect(verdict).toMatchObject({ status: 200, genuine: true, licenseValid: false });
    expect(verdict.answer).toMatchObject({ data: { code: 'NOT_FOUND' } });
  });

  it('is signed by the test realm for a test licence', async () => {
    const testing = await stockUp({ url: daemon.url, key: daemon.test.secretKey }, 'signed', {
      requireFingerprint: false,
    });
    const { key } = await testing.license();
    const body = { key, environment: 'test' };
    expect(await judged(body, { environment: 'test' })).toMatchObject({ code: 'VALID', licenseValid: true });
    expect((await judged(body)).code).toBe('ENVIRONMENT_MISMATCH');
  });

  it.each([
    { what: 'a body that is not valid', body: { key: 7 }, status: 422, code: 'VALIDATION_FAILED' },
    { what: 'an id that is unknown', path: NOWHERE, body: {}, status: 404, code: 'NOT_FOUND' },
    {
      what: 'a member that is unknown',
      body: { key: 'APP-0000-0000-0000-0000', x: 1 },
      status: 422,
      code: 'VALIDATION_FAILED',
    },
  ])('is signed when it refuses $what', async ({ path, body, status, code }) => {
    const verdict = await judged(body, { key: daemon.live.secretKey, ...(path !== undefined && { path }) });
    expect(verdict).toMatchObject({ status, genuine: true, licenseValid: undefined, answer: { code } });
  });

  it.each([
    ['is missing', undefined, 'REQUIRED'],
    ['is that of another body', contentDigest('{}'), 'MISMATCH'],
    ['is of another algorithm alone', `sha-512=:${'A'.repeat(86)}==:`, 'MALFORMED'],
    ['stands there twice', `${contentDigest('{}')}, ${contentDigest('{}')}`, 'MALFORMED'],
    ['has another form', 'sha-256=abc', 'MALFORMED'],
    ['has a parameter', `${contentDigest('{}')};x=1`, 'MALFORMED'],
  ])('is a refusal, and unsigned, when the Content-Digest %s', async (_what, digest, code) => {
    const body = JSON.stringify({ key: license.key, nonce: newNonce() });
    const answer = await fetch(`${daemon.url}/api/v1/licenses/validate-key`, {
      method: 'POST',
      body,
      headers: {
        'content-type': 'application/json',
        ...(digest !== undefined && { 'content-digest': digest }),
      },
    });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({
      code: 'MALFORMED',
      errors: [{ path: 'Content-Digest', code }],
    });
    expect(answer.headers.get('signature')).toBeNull();
  });

  it('covers the digest as it was sent, with other algorithms beside it', async () => {
    const both = `sha-512=:${'A'.repeat(86)}==:`;
    const body = JSON.stringify({ key: license.key, nonce: newNonce() });
    const sent = (digest: string) =>
      fetch(`${daemon.url}/api/v1/licenses/validate-key`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json', 'content-digest': digest },
      });
    expect((await sent(`${contentDigest(body)}, ${both}`)).status).toBe(400);
    const unknown = await sent(`${contentDigest(body)}, unixsum=:AAAA:`);
    expect([unknown.status, unknown.headers.has('signature')]).toEqual([200, true]);
  });
});

describe('an appliance with several tenants', () => {
  let globex: TrustBundle;

  beforeAll(async () => {
    const made = await operator('POST', '/tenants', { name: 'Globex', code: 'globex' });
    expect(made.body).toMatchObject({ data: { code: 'globex' } });
    globex = await trustIn(made.body['data'] as Record<string, unknown>); // the route's answer
  });

  it('signs with the key of the tenant that has the licence, which no other bundle knows', async () => {
    expect(await judged({ key: license.key })).toMatchObject({ code: 'VALID', licenseValid: true });
    expect((await judged({ key: license.key }, { trust: globex })).code).toBe('KEY_UNKNOWN');
  });

  it('cannot sign for a licence key that no tenant has, unless a publishable key names one', async () => {
    const unknown = { key: 'APP-0000-0000-0000-0000' };
    expect(await judged(unknown)).toMatchObject({ status: 200, code: 'UNSIGNED', genuine: false });
    const headers = { 'x-publishable-key': daemon.live.publishableKey };
    expect(await judged(unknown, { headers })).toMatchObject({
      status: 200,
      code: 'VALID',
      licenseValid: false,
    });
  });
});
