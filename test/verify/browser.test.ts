import { spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fileOf, membersOf } from '../../scripts/vectors/forge.ts';
import { REQUEST, sampleResponse } from '../../scripts/vectors/response-cases.ts';
import { NOW, sampleLicenseFile } from '../../scripts/vectors/samples.ts';
import { temporaryDirectory } from '../support/daemon.ts';
import { publishedKeys, readVector } from './run-vectors.ts';

const ROOT = join(import.meta.dirname, '../..');
/** Debian's package `chromium`. */
const CHROMIUM = '/usr/bin/chromium';
const hasChromium = existsSync(CHROMIUM);
/** A name that is no loopback name: what comes from it over plain HTTP is not a secure context. */
const HOST = 'mintmark.test';

const desk = temporaryDirectory();
let server: Server;

const GIVEN = {
  bundle: readVector('trust-bundle.jws'),
  root: publishedKeys.keys['root']?.fingerprint,
  license: readVector('license.lic'),
  machine: readVector('machine.lic'),
  tampered: tampered(),
  signedKey: readVector('signed-key.txt'),
  request: REQUEST,
  response: sampleResponse(),
  fingerprint: publishedKeys.fingerprint,
  licenseKey: publishedKeys.licenseKey,
  now: NOW,
};

/** A file with one bit of its content changed, and nothing else. */
function tampered(): string {
  const members = membersOf(sampleLicenseFile());
  const enc = members.enc.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'));
  return fileOf('license', { ...members, enc });
}

const page = `<!doctype html><meta charset="utf-8"><title>verify</title>
<script id="given" type="application/json">${JSON.stringify(GIVEN).replaceAll('<', '\\u003c')}</script>
<pre id="results"></pre><script type="module" src="/page.js"></script>`;

/** Nothing but our own files may run: no inline code, no code from text, no other origin. */
const POLICY = "default-src 'none'; script-src 'self'";

beforeAll(async () => {
  if (!hasChromium) return;
  const out = join(desk.path, 'verify');
  const build = [join(ROOT, 'scripts/build-verify.ts'), '--out', out];
  const built = spawnSync(process.execPath, build, { encoding: 'utf8' });
  if (built.status !== 0) throw new Error(built.stderr);
  const files: Readonly<Record<string, readonly [type: string, text: string]>> = {
    '/': ['text/html; charset=utf-8', page],
    '/page.js': ['text/javascript', readFileSync(join(import.meta.dirname, 'browser-page.js'), 'utf8')],
    '/index.js': ['text/javascript', readFileSync(join(out, 'index.js'), 'utf8')],
  };
  server = createServer((request, response) => {
    const [type, text] = files[request.url ?? ''] ?? [];
    if (type === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-type': type, 'content-security-policy': POLICY }).end(text);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
});

afterAll(async () => {
  if (hasChromium) await new Promise((resolve) => server.close(resolve));
  desk[Symbol.dispose]();
});

/** The document as it stands once the page has loaded; the browser ends by itself. */
async function documentOf(url: string, port: number): Promise<string> {
  const flags = [
    '--headless',
    '--disable-gpu',
    '--disable-dev-shm-usage',
    '--no-first-run',
    `--user-data-dir=${join(desk.path, 'profile')}`,
    `--host-resolver-rules=MAP ${HOST} 127.0.0.1:${String(port)}, MAP * ~NOTFOUND`,
    // A sandbox inside a root's container is not to be had, and everything it loads is ours.
    ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    '--dump-dom',
    url,
  ];
  const browser = spawn(CHROMIUM, flags, { stdio: ['ignore', 'pipe', 'ignore'] });
  let text = '';
  browser.stdout.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  await new Promise((resolve) => browser.once('close', resolve));
  return text;
}

const TITLE = 'the built library in a browser, on a page over plain HTTP';
const MISSING = ' (skipped: install the Debian package chromium)';

describe.skipIf(!hasChromium)(hasChromium ? TITLE : TITLE + MISSING, () => {
  it('verifies files, signed keys and signed answers without crypto.subtle', async () => {
    const { port } = server.address() as AddressInfo; // it listens on TCP
    const text = await documentOf(`http://${HOST}/`, port);
    const [, results = '{}'] = /<pre id="results">(.*?)<\/pre>/s.exec(text) ?? [];
    expect(JSON.parse(results)).toEqual({
      secure: false,
      subtle: 'undefined',
      bundle: 'VALID',
      license: 'VALID',
      machine: 'VALID',
      entitlements: ['export-pdf'],
      elsewhere: 'DECRYPTION_FAILED',
      tampered: 'SIGNATURE_INVALID',
      signedKey: 'VALID',
      response: 'VALID',
      headers: 'VALID',
      replayed: 'NONCE_MISMATCH',
    });
  });
});
