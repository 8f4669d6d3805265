import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { type Around, jsonOf, mintmark, type Transcript } from '../cli/run-cli.ts';
import {
  type InitialisedAppliance,
  initAppliance,
  initFlags,
  type ServedAppliance,
  serveAppliance,
  serveFlags,
} from '../support/appliance-process.ts';
import { dataOf, send, startDaemon, temporaryDirectory } from '../support/daemon.ts';
import { type Stock, stockUp } from '../support/stock.ts';

const directory = temporaryDirectory();
const at = (name: string): string => join(directory.path, name);
let appliance: InitialisedAppliance;
let daemon: ServedAppliance;
let stock: Stock;
let license: { readonly id: string; readonly key: string };
/** Everything that any command printed. */
const printed: string[] = [];
/** What must never be among it. */
const secrets: string[] = [];

const FINGERPRINT = 'machine-of-the-first-customer';

async function run(args: readonly string[], around: Around = {}): Promise<Transcript> {
  const transcript = await mintmark(args, around);
  printed.push(transcript.stdout, transcript.stderr);
  return transcript;
}

const operate = (args: readonly string[]): Promise<Transcript> =>
  run([...args, '--data-dir', appliance.data]);

beforeAll(async () => {
  appliance = await initAppliance(directory.path);
  printed.push(appliance.transcript.stdout, appliance.transcript.stderr);
  secrets.push(
    appliance.secretKey,
    appliance.recoveryCode,
    readFileSync(appliance.credential).toString('hex'),
  );
  daemon = await serveAppliance(appliance, ['log.level=debug']);
  stock = await stockUp({ url: daemon.url, key: appliance.secretKey }, 'editor');
  license = await stock.license({ userEmail: 'first@customer.example' });
  secrets.push(license.key);
  await dataOf(stock.post(`/licenses/${license.id}/machines`, { fingerprint: FINGERPRINT }));
});

afterAll(async () => {
  expect(await daemon.stop()).toBe(0);
  directory[Symbol.dispose]();
});

describe('init', () => {
  it('makes what only its owner can read, and says where the secrets are, not what they are', () => {
    const { stdout, stderr, code } = appliance.transcript;
    expect(code).toBe(0);
    expect(stdout + stderr).toContain(at('secret.txt'));
    expect(stdout).toMatch(/root fingerprint:\s+[0-9a-f]{64}/);
    for (const name of ['secret.txt', 'recovery.txt', 'kek', 'data/mintmark.db'])
      expect((statSync(at(name)).mode & 0o777).toString(8), name).toBe('600');
    expect((statSync(appliance.data).mode & 0o777).toString(8)).toBe('700');
    expect(appliance.secretKey).toMatch(/^sk_live_/);
  });

  it('overwrites nothing: neither an appliance nor a secret', async () => {
    const before = listing();
    const again = await run(initFlags(directory.path));
    expect(again.code).toBe(EXIT.usage);
    expect(again.stderr).toMatch(/(secret|recovery)\.txt exists already/);
    const elsewhere = ['--secret-out', at('other.txt'), '--recovery-out', at('other-recovery.txt')];
    const same = await run([...initFlags(directory.path).slice(0, 6), ...elsewhere]);
    expect(same.code).toBe(EXIT.refused);
    expect(same.stderr).toMatch(/DATA_DIRECTORY_(INVALID|IN_USE)/);
    expect(listing()).toEqual(before);
  });

  it('shows no secret to a pipe, and makes nothing when it would have to', async () => {
    const refused = await run([
      'init',
      '--unattended',
      '--data-dir',
      at('piped'),
      '--credential',
      at('piped.kek'),
    ]);
    expect(refused.code).toBe(EXIT.usage);
    expect(refused.stderr).toContain('--secret-out');
    expect([existsSync(at('piped')), existsSync(at('piped.kek'))]).toEqual([false, false]);
  });
});

describe('serve', () => {
  it('is ready, not a development appliance, and tells its local operator', async () => {
    const status = await operate(['status', '--json']);
    expect(status.code).toBe(0);
    expect(jsonOf(status)['data']).toMatchObject({ state: 'ready', dev: false, directory: appliance.data });
    const answer = await fetch(`${daemon.url}/health`);
    expect([answer.status, answer.headers.get('mintmark-dev')]).toEqual([200, null]);
  });

  it('refuses a development appliance, and `dev` refuses a real one', async () => {
    const dev = await startDaemon(at('dev'));
    expect(await dev.stop()).toBe(0);
    const served = await run(serveFlags({ data: at('dev/data'), credential: at('dev/kek') }));
    expect(served.code).toBe(EXIT.refused);
    expect(served.stderr).toMatch(/DEV_APPLIANCE: (.|\n)*mintmark init/);
    const other = await run(['dev', '--dir', directory.path, '--json']);
    expect([other.code, other.stdout]).toEqual([EXIT.refused, '']);
    expect(other.stderr).toContain('DATA_DIRECTORY_INVALID');
  });

  it('refuses a place that others can reach or that is taken, and ends', async () => {
    mkdirSync(at('other'));
    const other = await initAppliance(at('other'));
    for (const host of ['0.0.0.0', '192.0.2.7']) {
      const refused = await run(serveFlags(other, [`http.host=${host}`]));
      expect(refused.code, host).toBe(EXIT.refused);
      expect(refused.stderr, host).toMatch(/CONFIG_INVALID: .*allowPlain/s);
    }
    const taken = await run(serveFlags(other, [`http.port=${new URL(daemon.url).port}`]));
    expect(taken.code).toBe(EXIT.refused);
    expect(taken.stderr).toMatch(/CONFIG_INVALID: .*in use/is);
    // The failed starts left nothing locked or half open.
    const started = await serveAppliance(other);
    expect(await started.stop()).toBe(0);
  });

  it('refuses a second daemon with the number of the first', async () => {
    const second = await run(serveFlags(appliance));
    expect(second.code).toBe(EXIT.refused);
    expect(second.stderr).toContain(`locked by process ${String(daemon.child.pid)}`);
  });

  it('gives the local operator an API key that works, in a file', async () => {
    const made = await operate([
      ...['api-key', 'create', '--name', 'shop', '--scopes', 'products:read'],
      ...['--secret-out', at('shop.key')],
    ]);
    expect(made).toMatchObject({ code: 0 });
    const key = readFileSync(at('shop.key'), 'utf8').trim();
    secrets.push(key);
    const target = { url: daemon.url, key };
    expect((await send(target, { method: 'GET', path: '/products' })).status).toBe(200);
    expect((await send(target, { method: 'GET', path: '/licenses' })).status).toBe(403);
  });
});

describe('what leaves the appliance', () => {
  it('is verified offline against the pinned root, and refused when a byte, the root or the machine is another', async () => {
    const trust = await operate(['trust', 'export', '--out', at('trust.json')]);
    const roots = await operate(['trust', 'fingerprint']);
    expect([trust.code, roots.code]).toEqual([0, 0]);
    const root = roots.stdout.trim();
    expect(appliance.transcript.stdout).toContain(root);
    const file = await issued();
    writeFileSync(at('machine.lic'), file);
    writeFileSync(at('license-key.txt'), license.key);
    const verify = (...more: readonly string[]): Promise<Transcript> =>
      run([
        ...['verify', at('machine.lic'), '--trust', at('trust.json'), '--json'],
        ...['--license-key-file', at('license-key.txt'), ...more],
      ]);
    const good = ['--product', 'editor', '--fingerprint', FINGERPRINT, '--root', root];
    const verdict = await verify(...good);
    expect(verdict.code, verdict.stderr).toBe(EXIT.ok);
    expect(jsonOf(verdict)).toMatchObject({ valid: true, unchecked: ['revocations'] });
    const otherRoot = root.replace(/^./, (digit) => (digit === '0' ? '1' : '0'));
    expect((await verify(...good.slice(0, 4), '--root', otherRoot)).code).toBe(EXIT.invalid);
    expect((await verify('--fingerprint', 'another-machine', '--root', root)).code).toBe(EXIT.invalid);
    const middle = Math.floor(file.length / 2);
    const changed = file[middle] === 'A' ? 'B' : 'A';
    writeFileSync(at('machine.lic'), file.slice(0, middle) + changed + file.slice(middle + 1));
    expect((await verify(...good)).code).toBe(EXIT.invalid);
  });

  it('names every signing key with its purpose, and shows public halves alone', async () => {
    const keys = await operate(['keys', 'list', '--json']);
    const rows = jsonOf(keys)['data'] as { purpose: string; environment: string | null }[];
    const purposes = new Set(rows.map(({ purpose, environment }) => `${purpose} ${String(environment)}`));
    expect(purposes).toContain('license live');
    expect(purposes).toContain('license test');
    expect([...purposes].some((text) => text.startsWith('root'))).toBe(true);
    expect([...purposes].some((text) => text.startsWith('ledger'))).toBe(true);
    expect(keys.stdout).not.toContain('"d"');
    expect((await operate(['keys', 'list'])).stdout).toMatch(/^KID\s+PURPOSE/);
  });

  it('is a log that proves itself: exit 0 as exported, 3 when one letter differs', async () => {
    mkdirSync(at('export'));
    expect((await operate(['audit', 'export', at('export')])).code).toBe(0);
    const intact = await run(['audit', 'verify', at('export')]);
    expect([intact.code, intact.stderr]).toEqual([EXIT.ok, '']);
    const entries = readFileSync(at('export/entries.jsonl'), 'utf8');
    expect(entries).toContain('license.created');
    writeFileSync(at('export/entries.jsonl'), entries.replace('license.created', 'license.updated'));
    expect((await run(['audit', 'verify', at('export')])).code).toBe(EXIT.invalid);
    expect((await operate(['audit', 'export', at('export')])).code).toBe(EXIT.refused);
  });
});

describe('everything that was printed', () => {
  it('holds no secret: no API key, licence key, recovery code or credential', () => {
    const all = [...printed, daemon.stdout(), daemon.stderr()].join('\n');
    // The log was at its most talkative, and there was something to tell.
    expect(daemon.stdout()).toMatch(/"route":"POST \/api\/v1\/licenses/);
    expect(secrets.length).toBe(5);
    for (const secret of secrets) {
      expect(secret.length).toBeGreaterThan(15);
      expect(all.includes(secret)).toBe(false);
      // Nor the part of it that nobody could guess.
      expect(all.includes(secret.slice(-16))).toBe(false);
    }
    expect(all.includes('first@customer.example')).toBe(false);
    // `verify` was given the fingerprint and says what it compared; the appliance itself tells nobody.
    expect(daemon.stdout() + daemon.stderr()).not.toContain(FINGERPRINT);
  });
});

async function issued(): Promise<string> {
  const headers = { accept: 'application/octet-stream', authorization: `Bearer ${appliance.secretKey}` };
  const response = await fetch(`${daemon.url}/api/v1/licenses/${license.id}/checkout`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ fingerprint: FINGERPRINT }),
  });
  expect(response.headers.get('content-disposition')).toMatch(
    /^attachment; filename="[a-z]+_[0-9A-Z]+\.lic"$/,
  );
  return response.text();
}

function listing(): string[] {
  return readdirSync(directory.path, { recursive: true })
    .map(String)
    .filter((name) => !name.startsWith('data/mintmark.db-'))
    .toSorted();
}
