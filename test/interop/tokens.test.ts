import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createLocalJWKSet,
  decodeProtectedHeader,
  importJWK,
  type JSONWebKeySet,
  type JWK,
  jwtVerify,
} from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pinPublicKeys, verifySignedKey } from '../../src/verify/index.ts';
import { auditDatabase } from '../campaigns/audit-database.ts';
import { dataOf, type RunningDaemon, startDaemon, temporaryDirectory } from '../support/daemon.ts';
import { reach, type Stock, stockUp } from '../support/stock.ts';

const PYTHON = '/usr/bin/python3';
const SCRIPT = join(import.meta.dirname, 'verify_line.py');
const hasPython = spawnSync(PYTHON, ['-c', 'import cryptography']).status === 0;
const PRINT = 'a-machine-of-the-tokens';
const DAY = 86_400_000;

const desk = temporaryDirectory();

let daemon: RunningDaemon;
let stock: Stock;
let issuer: string;
let license: { readonly id: string; readonly key: string };
let token: string;
let bound: string;
let signedKey: string;
let jwks: JSONWebKeySet;

async function document(path: string): Promise<JSONWebKeySet> {
  return (await (await fetch(`${daemon.url}${path}`)).json()) as JSONWebKeySet; // RFC 7517 §5
}

beforeAll(async () => {
  daemon = await startDaemon(join(desk.path, 'appliance'));
  stock = await stockUp({ url: daemon.url, key: daemon.live.secretKey }, 'tokens', {
    requireFingerprint: false,
  });
  const { id: pro } = await dataOf(stock.post('/entitlements', { code: 'pro', name: 'Pro' }));
  license = await stock.license({ entitlementIds: [pro] });
  const asked = `/licenses/${license.id}/checkout`;
  token = String((await dataOf(stock.post(asked, { format: 'jwt' })))['certificate']);
  bound = String((await dataOf(stock.post(asked, { format: 'jwt', fingerprint: PRINT })))['certificate']);
  signedKey = String((await dataOf(stock.post(`/licenses/${license.id}/signed-key`)))['signedKey']);
  issuer = `MINTMARK DEV/${daemon.tenant}/live`;
  jwks = await document(`/api/v1/tenants/${daemon.tenant}/license-jwks.json`);
});

afterAll(async () => {
  expect(await daemon.stop()).toBe(0);
  expect(auditDatabase(join(daemon.dir, 'data', 'mintmark.db')).problems).toEqual([]);
  desk[Symbol.dispose]();
});

/** What docs/formats/token.md tells an integrator to write. */
function options() {
  return { algorithms: ['EdDSA'], typ: 'license+jwt', issuer, audience: 'tokens' };
}

const outcome = (verified: Promise<unknown>): Promise<string> =>
  verified.then(
    () => 'verified',
    (error: unknown) => (error as { readonly code?: string }).code ?? String(error), // errors of jose have a code
  );

describe('a compact token, read by jose', () => {
  it('verifies with the licence keys of the tenant', async () => {
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(jwks), options());
    expect(protectedHeader).toEqual({ alg: 'EdDSA', kid: daemon.live.publicKey.kid, typ: 'license+jwt' });
    expect(payload).toMatchObject({ sub: license.id, v: 1, status: 'ACTIVE', entitlements: ['pro'] });
    expect(payload['cnf']).toBeUndefined();
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe((14 * DAY) / 1000);
    expect(JSON.stringify(payload)).not.toContain(license.key);
  });

  it('verifies with one key of the set that was imported by hand', async () => {
    const { kid } = decodeProtectedHeader(token);
    const key = await importJWK(jwks.keys.find((one) => one.kid === kid) as JWK); // there, or the import throws
    expect(await outcome(jwtVerify(token, key, options()))).toBe('verified');
  });

  it('names the machine it is bound to by the digest of its fingerprint', async () => {
    const { payload } = await jwtVerify(bound, createLocalJWKSet(jwks), options());
    expect(payload['cnf']).toEqual({ mm_fp: createHash('sha256').update(PRINT).digest('base64url') });
    const machine = await dataOf(stock.get(`/machines/${String(payload['machine'])}`));
    expect(machine).toMatchObject({ licenseId: license.id });
    const again = await stock.post(`/machines/${String(payload['machine'])}/checkout`, { format: 'jwt' });
    const { payload: second } = await jwtVerify(
      (again.body['data'] as { readonly certificate: string }).certificate,
      createLocalJWKSet(jwks),
      options(),
    ); // the route's answer
    expect(second['cnf']).toEqual(payload['cnf']);
  });

  it('is refused as anything else, for anybody else, after its end, and with any part changed', async () => {
    const keys = createLocalJWKSet(jwks);
    const refused = (change: object, text = token): Promise<string> =>
      outcome(jwtVerify(text, keys, { ...options(), ...change }));
    const claim = 'ERR_JWT_CLAIM_VALIDATION_FAILED';
    expect(await refused({ typ: 'at+jwt' })).toBe(claim);
    expect(await refused({ issuer: issuer.replace('live', 'test') })).toBe(claim);
    expect(await refused({ audience: 'another' })).toBe(claim);
    expect(await refused({ currentDate: new Date(Date.now() + 15 * DAY) })).toBe('ERR_JWT_EXPIRED');
    const [header, payload = '', signature] = token.split('.');
    const other = Buffer.from(Buffer.from(payload, 'base64url').toString().replace('pro', 'max')).toString(
      'base64url',
    );
    expect(await refused({}, [header, other, signature].join('.'))).toBe(
      'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
    );
  });
});

describe('the key sets', () => {
  it('keep licence keys and token keys apart, and live from test', async () => {
    const sets = {
      licence: jwks,
      token: await document(`/api/v1/tenants/${daemon.tenant}/jwks.json`),
      test: await document(`/api/v1/tenants/${daemon.tenant}/license-jwks.json?env=test`),
      alone: await document('/.well-known/license-jwks.json'),
    };
    expect(sets.alone).toEqual(sets.licence);
    expect(sets.licence.keys.map(({ kid }) => kid)).toEqual([daemon.live.publicKey.kid]);
    expect(sets.test.keys.map(({ kid }) => kid)).toEqual([daemon.test.publicKey.kid]);
    const kids = [sets.licence, sets.token, sets.test].flatMap(({ keys }) => keys.map(({ kid }) => kid));
    expect(new Set(kids).size).toBe(kids.length);
    for (const set of [sets.token, sets.test]) {
      expect(await outcome(jwtVerify(token, createLocalJWKSet(set), options()))).toBe(
        'ERR_JWKS_NO_MATCHING_KEY',
      );
    }
    for (const key of sets.licence.keys)
      expect(Object.keys(key).sort()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x']);
  });
});

describe('a signed key', () => {
  it('is accepted by the verify library for its product, with what the licence has', () => {
    const trust = pinPublicKeys({ license: [daemon.live.publicKey.hex] });
    const verdict = verifySignedKey(signedKey, { trust, product: 'tokens' });
    expect(verdict).toMatchObject({ valid: true, code: 'VALID', dev: true });
    expect(verdict.signedKey).toMatchObject({
      licenseId: license.id,
      product: 'tokens',
      entitlements: ['pro'],
    });
    expect(verifySignedKey(signedKey, { trust, product: 'another' }).code).toBe('PRODUCT_MISMATCH');
    expect(verifySignedKey(signedKey, { trust, product: 'tokens', refuseDev: true }).code).toBe(
      'DEV_REFUSED',
    );
  });

  it('is a file: in the list of what is out, with the digest of what was signed', async () => {
    const { body } = await stock.get(`/licenses/${license.id}/files`);
    const files = body['data'] as {
      readonly kind: string;
      readonly digest: string;
      readonly machineId: unknown;
    }[]; // the route's list
    expect(files.map(({ kind }) => kind).sort()).toEqual(
      expect.arrayContaining(['signed-key', 'token', 'token']),
    );
    const signed = (text: string): string => text.slice(0, text.lastIndexOf('.'));
    for (const text of [token, bound, signedKey]) {
      const digest = createHash('sha256').update(signed(text)).digest('hex');
      expect(files.map((file) => file.digest)).toContain(digest);
    }
    expect(files.filter(({ kind }) => kind === 'signed-key')).toMatchObject([{ machineId: null }]);
  });
});

/** What the Python verifier says. */
function python(
  text: string,
  change: Readonly<Record<string, string>> = {},
): { status: number | null; out: string } {
  const [file, keys] = [join(desk.path, 'line.txt'), join(desk.path, 'jwks.json')];
  writeFileSync(file, `${text}\n`);
  writeFileSync(keys, JSON.stringify(jwks));
  const flags = {
    jwks: keys,
    product: 'tokens',
    now: new Date().toISOString(),
    issuer,
    fingerprint: PRINT,
    ...change,
  };
  const argv = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, value]);
  const run = spawnSync(PYTHON, ['-W', 'ignore', SCRIPT, ...argv, '--dev', file], { encoding: 'utf8' });
  expect(run.stderr).toBe('');
  return { status: run.status, out: run.stdout.trim() };
}

const TITLE = 'a verifier in Python, written from the format pages';
const MISSING = ' (skipped: install the Debian package python3-cryptography)';

describe.skipIf(!hasPython)(hasPython ? TITLE : TITLE + MISSING, () => {
  it('accepts the token, the bound one on its machine, and the signed key', () => {
    expect(JSON.parse(python(token).out)).toMatchObject({ sub: license.id, entitlements: ['pro'] });
    expect(JSON.parse(python(bound).out)).toMatchObject({ sub: license.id });
    expect(JSON.parse(python(signedKey).out)).toMatchObject({ license: license.id, entitlements: ['pro'] });
  });

  it.each([
    ['the token for another product', () => token, { product: 'another' }, /another product/],
    ['the token of another environment', () => token, { issuer: 'Mintmark/acme/test' }, /another issuer/],
    ['the bound token on another machine', () => bound, { fingerprint: 'another' }, /another machine/],
    ['the token after its end', () => token, { now: '2099-01-01T00:00:00.000Z' }, /expired/],
    ['a changed token', () => token.replace(/.$/, (last) => (last === 'A' ? 'Q' : 'A')), {}, /refused/],
    ['the signed key for another product', () => signedKey, { product: 'another' }, /another product/],
    ['the signed key after its end', () => signedKey, { now: '2099-01-01T00:00:00.000Z' }, /expired/],
    ['a changed signed key', () => signedKey.replace('key/ey', 'key/fy'), {}, /refused/],
  ])('refuses %s', (...[, text, change, reason]) => {
    const { status, out } = python(text(), change);
    expect({ status, out }).toEqual({ status: 1, out: expect.stringMatching(reason) as string });
  });
});

describe('the checkout of a token', () => {
  it('refuses to promise encryption', async () => {
    const { status, body } = await stock.post(`/licenses/${license.id}/checkout`, {
      format: 'jwt',
      encrypt: true,
    });
    expect([status, body['errors']]).toEqual([422, [expect.objectContaining({ path: 'encrypt' })]]);
  });

  it('gives it bare when bytes are asked for, under the name of its licence', async () => {
    const path = `/licenses/${license.id}/checkout`;
    const answer = await fetch(`${daemon.url}/api/v1${path}`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${daemon.live.secretKey}`,
        'content-type': 'application/json',
        accept: 'application/octet-stream',
      },
      body: JSON.stringify({ format: 'jwt' }),
    });
    expect(answer.headers.get('content-disposition')).toBe(`attachment; filename="${license.id}.jwt"`);
    expect((await answer.text()).split('.')).toHaveLength(3);
  });

  it('decides first: nothing is signed for a licence that does not validate', async () => {
    const refused = await stock.license();
    await dataOf(stock.post(`/licenses/${refused.id}/suspend`, { reason: 'test' }));
    for (const [path, body] of [
      ['checkout', { format: 'jwt' }],
      ['signed-key', {}],
    ] as const) {
      const { status, body: problem } = await stock.post(`/licenses/${refused.id}/${path}`, body);
      expect([status, problem['code']]).toEqual([422, 'SUSPENDED']);
    }
    expect((await stock.get(`/licenses/${refused.id}/files`)).body['data']).toEqual([]);
  });

  it('counts a token and a signed key against what an API key may issue', async () => {
    const scopes = ['licenses:checkout'];
    const made = await dataOf(stock.post('/api-keys', { name: 'Two', scopes, issueLimitPerDay: 2 }));
    const limited = reach({ url: daemon.url, key: String(made['key']) });
    const codes: unknown[] = [];
    for (const path of ['signed-key', 'checkout', 'signed-key']) {
      const body = path === 'checkout' ? { format: 'jwt' } : {};
      const answer = await limited.post(`/licenses/${license.id}/${path}`, body);
      codes.push(answer.body['code'] ?? answer.status);
    }
    expect(codes).toEqual([200, 200, 'ISSUE_LIMIT']);
  });

  it('gives a signed key the same answer again under its idempotency key, and no longer than the policy allows', async () => {
    const path = `/licenses/${license.id}/signed-key`;
    const headers = { 'idempotency-key': 'signed-1' };
    const [first, second] = [await stock.post(path, {}, headers), await stock.post(path, {}, headers)];
    expect(second.body).toEqual(first.body);
    const long = await stock.post(path, { ttlSeconds: 3650 * 86_400 });
    expect([long.status, long.body['code']]).toEqual([422, 'VALIDATION_FAILED']);
  });

  it('gives the holder of a licence no signed key', async () => {
    const answer = await fetch(`${daemon.url}/api/v1/licenses/${license.id}/signed-key`, {
      method: 'POST',
      headers: { authorization: `License ${license.key}`, 'content-type': 'application/json' },
      body: '{}',
    });
    expect(answer.status).toBe(403);
  });
});
