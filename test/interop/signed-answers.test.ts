import { spawnSync } from 'node:child_process';
import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import { join } from 'node:path';
import { httpbis } from 'http-message-signatures';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dataOf, type RunningDaemon, send, startDaemon, temporaryDirectory } from '../support/daemon.ts';
import { stockUp } from '../support/stock.ts';
import { publishedResponses, readVector } from '../verify/run-vectors.ts';

const PYTHON = '/usr/bin/python3';
const SCRIPT = join(import.meta.dirname, 'verify_response.py');
const hasPython = spawnSync(PYTHON, ['-c', 'import cryptography']).status === 0;
const desk = temporaryDirectory();

let daemon: RunningDaemon;
let licenseKey: string;
let keys: readonly BundleKey[];

interface BundleKey {
  readonly kid: string;
  readonly purpose: string;
  readonly state: string;
  readonly environment: string;
  readonly jwk: { readonly kty: string; readonly crv: string; readonly x: string };
}

/** The keys a trust bundle names; whether to believe it is not the question here. */
function keysIn(bundle: string): readonly BundleKey[] {
  return (decodeJwt(bundle) as { readonly keys: readonly BundleKey[] }).keys; // docs/formats/trust-bundle.md
}

beforeAll(async () => {
  daemon = await startDaemon(join(desk.path, 'appliance'));
  const target = { url: daemon.url, key: daemon.live.secretKey };
  const stock = await stockUp(target, 'answers', { requireFingerprint: false });
  licenseKey = (await stock.license()).key;
  keys = keysIn(await (await fetch(`${daemon.url}/api/v1/trust-bundle`)).text());
});

afterAll(async () => {
  expect(await daemon.stop()).toBe(0);
  desk[Symbol.dispose]();
});

const PATH = '/api/v1/licenses/validate-key';
const sha256 = (text: string): string => `sha-256=:${createHash('sha256').update(text).digest('base64')}:`;

/** A validation with a nonce, as it went out and came back. */
async function exchange(more: Readonly<Record<string, unknown>> = {}) {
  const nonce = randomBytes(18).toString('base64url');
  const body = JSON.stringify({ key: licenseKey, nonce, ...more });
  const headers = { 'content-type': 'application/json', 'content-digest': sha256(body) };
  const answer = await fetch(`${daemon.url}${PATH}`, { method: 'POST', headers, body });
  const text = await answer.text();
  return {
    request: { method: 'POST', path: PATH, body, nonce, headers },
    response: { status: answer.status, headers: [...answer.headers] as [string, string][], body: text },
  };
}

type Exchanged = Awaited<ReturnType<typeof exchange>>;

/** What http-message-signatures says: true or false, or the error it threw. */
async function library({ request, response }: Exchanged): Promise<boolean | string> {
  try {
    const verdict = await httpbis.verifyMessage(
      {
        keyLookup: ({ keyid }) => {
          const found = keys.find(({ kid, purpose }) => kid === keyid && purpose === 'response');
          if (found === undefined) return Promise.resolve(null);
          const key = createPublicKey({ key: { ...found.jwk }, format: 'jwk' });
          return Promise.resolve({
            id: found.kid,
            verify: (base: Buffer, signature: Buffer) => Promise.resolve(verify(null, base, key, signature)),
          });
        },
        requiredFields: ['@status', 'content-type', 'content-digest', '@method', '@path'],
        requiredParams: ['created', 'expires', 'keyid', 'nonce', 'tag'],
        tolerance: 60,
      },
      { status: response.status, headers: Object.fromEntries(response.headers) },
      { method: request.method, url: `${daemon.url}${request.path}`, headers: request.headers },
    );
    return verdict ?? 'no verdict';
  } catch (error) {
    return String(error);
  }
}

describe('an independent reader of HTTP message signatures', () => {
  it.each([
    ['a validation', {}, 200],
    ['a refusal', { unknown: true }, 422],
  ])('accepts %s as the appliance signed it', async (_what, more, status) => {
    const given = await exchange(more);
    expect(given.response.status).toBe(status);
    expect(await library(given)).toBe(true);
    const { headers, body } = given.response;
    expect(new Map(headers).get('content-digest')).toBe(sha256(body));
  });

  it('refuses it with anything covered changed', async () => {
    const given = await exchange();
    const { request, response } = given;
    const changed = (name: string, value: string) =>
      library({
        request,
        response: {
          ...response,
          headers: response.headers.map((row) => (row[0] === name ? [name, value] : row)),
        },
      });
    expect(await library({ ...given, response: { ...response, status: 201 } })).toBe(false);
    expect(
      await library({ ...given, request: { ...request, path: '/api/v1/licenses/lic_1/validate' } }),
    ).toBe(false);
    expect(await library({ ...given, request: { ...request, method: 'PUT' } })).toBe(false);
    const headers = { ...request.headers, 'content-digest': sha256('{}') };
    expect(await library({ ...given, request: { ...request, headers } })).toBe(false);
    expect(await changed('content-digest', sha256('{}'))).toBe(false);
    expect(await changed('content-type', 'text/plain')).toBe(false);
  });
});

/** The codes of the Python verifier. */
function python(cases: readonly unknown[], known: readonly BundleKey[]): string[] {
  const rows = known
    .filter(({ purpose }) => purpose === 'response')
    .map(({ kid, state, environment, jwk }) => ({ kid, state, environment, x: jwk.x }));
  const input = JSON.stringify({ keys: rows, cases });
  const run = spawnSync(PYTHON, ['-W', 'ignore', SCRIPT], { input, encoding: 'utf8' });
  expect(run.stderr).toBe('');
  return JSON.parse(run.stdout) as string[]; // printed by the program above
}

const TITLE = 'a verifier in Python, written from the format page';
const MISSING = ' (skipped: install the Debian package python3-cryptography)';

describe.skipIf(!hasPython)(hasPython ? TITLE : TITLE + MISSING, () => {
  it('comes to the code of every published answer', () => {
    const codes = python(publishedResponses, keysIn(readVector('trust-bundle.jws').trim()));
    expect(publishedResponses.map(({ name }, at) => `${name}: ${codes[at] ?? ''}`)).toEqual(
      publishedResponses.map(({ name, code }) => `${name}: ${code}`),
    );
  });

  it('accepts what the appliance answers, and no answer to another question', async () => {
    const asked = { product: 'any', now: new Date().toISOString() };
    const [one, two] = [await exchange(), await exchange()];
    const cases = [
      { ...one, with: asked },
      { request: one.request, response: two.response, with: asked },
      {
        ...one,
        response: { ...one.response, body: one.response.body.replace('true', 'false') },
        with: asked,
      },
    ];
    expect(python(cases, keys)).toEqual(['VALID', 'SIGNATURE_INVALID', 'DIGEST_MISMATCH']);
  });
});

describe('an answer to a request without a nonce', () => {
  it('is not signed', async () => {
    const request = { method: 'POST', path: '/licenses/validate-key', body: { key: licenseKey } };
    const answer = send({ url: daemon.url }, request);
    expect(await dataOf(answer)).toMatchObject({ valid: true });
    expect((await answer).headers.get('signature-input')).toBeNull();
  });
});
