// The main job, end to end, as a person would do it by hand; each step prints what happened in plain words.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { fingerprintOf, readComponents } from '../src/cli/fingerprint.ts';
import {
  rootFingerprint,
  type Verdict,
  verifyLicenseFile,
  verifyMachineFile,
  verifyTrustBundle,
} from '../src/verify/index.ts';

const ROOT = join(import.meta.dirname, '..');
// --dir is for tests, which leave var/ alone.
const { values: OPTIONS } = parseArgs({
  options: { keep: { type: 'boolean', default: false }, dir: { type: 'string' } },
});
const PLACE = OPTIONS.dir ?? join(ROOT, 'var', 'quickstart');
const PID_FILE = join(PLACE, 'appliance.pid');
const PRODUCT = 'quickstart-editor';

interface DevAppliance {
  readonly url: string;
  readonly tenant: string;
  readonly live: {
    readonly secretKey: string;
    readonly publicKey: { readonly kid: string; readonly hex: string };
  };
}

interface Data {
  readonly data: Readonly<Record<string, unknown>>;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Starts `mintmark dev` and waits for its one line. */
async function startAppliance(): Promise<{ process: ChildProcess; appliance: DevAppliance }> {
  const directory = join(PLACE, 'appliance');
  const child = spawn(
    join(ROOT, 'scripts', 'mintmark'),
    ['dev', '--dir', directory, '--port', '0', '--json'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: OPTIONS.keep,
    },
  );
  const line = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', resolve);
    child.once('exit', (code) => {
      reject(new Error(`the appliance did not start (exit code ${String(code)})`));
    });
  });
  return { process: child, appliance: JSON.parse(line) as DevAppliance }; // documented output of `mintmark dev --json`
}

async function stopAppliance(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await ended;
}

function apiOf({ url, live }: DevAppliance) {
  return async (method: string, path: string, body?: object): Promise<Data['data']> => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${live.secretKey}`, 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${String(response.status)}: ${text}`);
    return text === '' ? {} : (JSON.parse(text) as Data).data; // the API's envelope
  };
}

function keep(name: string, text: string): string {
  const path = join(PLACE, name);
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

/** Product, policy, entitlement, licence, machine, and the two files, all over HTTP. */
async function issue(appliance: DevAppliance): Promise<void> {
  const api = apiOf(appliance);
  const product = await api('POST', '/products', {
    name: 'Quickstart Editor',
    code: PRODUCT,
    keyPrefix: 'QUICK',
  });
  say(`  product      ${String(product['id'])}  (${PRODUCT})`);
  const policy = await api('POST', '/policies', {
    productId: product['id'],
    name: 'Desktop',
    template: 'desktop_app',
    // Without this, a file bound to no machine (license.lic) would be refused.
    requireFingerprint: false,
  });
  say(`  policy       ${String(policy['id'])}  (two machines, files for 14 days)`);
  const entitlement = await api('POST', '/entitlements', { code: 'export-pdf', name: 'Export to PDF' });
  say(`  entitlement  ${String(entitlement['id'])}  (export-pdf)`);
  const license = await api('POST', '/licenses', {
    productId: product['id'],
    policyId: policy['id'],
    name: 'Quickstart licence',
    entitlementIds: [entitlement['id']],
  });
  say(`  licence      ${String(license['id'])}`);
  const fingerprint = fingerprintOf(readComponents()) ?? 'quickstart-machine-without-any-number';
  const machine = await api('POST', `/licenses/${String(license['id'])}/machines`, {
    fingerprint,
    platform: 'linux',
  });
  say(`  machine      ${String(machine['id'])}  (this one)`);
  const licenseFile = await api('POST', `/licenses/${String(license['id'])}/checkout`, {});
  const machineFile = await api('POST', `/machines/${String(machine['id'])}/checkout`, {});
  keep('license-key.txt', `${String(license['key'])}\n`);
  keep('fingerprint.txt', `${fingerprint}\n`);
  keep('license.lic', String(licenseFile['certificate']));
  keep('machine.lic', String(machineFile['certificate']));
  keep('public-key.hex', `${appliance.live.publicKey.hex}\n`);
  const bundle = await (
    await fetch(`${appliance.url}/api/v1/tenants/${appliance.tenant}/trust-bundle`)
  ).text();
  keep('trust-bundle.json', bundle);
  keep('root-public-key.hex', `${rootHexOf(bundle)}\n`);
}

interface Jwk {
  readonly kty: string;
  readonly crv: string;
  readonly x: string;
}

function rootJwk(bundle: string): Jwk {
  // docs/formats/trust-bundle.md; the library judges the bundle later.
  const payload = JSON.parse(Buffer.from(bundle.split('.')[1] ?? '', 'base64url').toString('utf8')) as {
    roots: { jwk: Jwk; state: string }[];
  };
  const root = payload.roots.find(({ state }) => state === 'active');
  if (root === undefined) throw new Error('the trust bundle names no active root');
  return root.jwk;
}

function rootHexOf(bundle: string): string {
  return Buffer.from(rootJwk(bundle).x, 'base64url').toString('hex');
}

function read(name: string): string {
  return readFileSync(join(PLACE, name), 'utf8');
}

/** What an application does on a machine that has never seen the network. */
function verifyOffline(): void {
  const bundle = read('trust-bundle.json').trim();
  // A real application has this fingerprint compiled in; here we take the one the appliance just made.
  const roots = [rootFingerprint({ ...rootJwk(bundle) })];
  const { trust, message } = verifyTrustBundle(bundle, { roots });
  if (trust === undefined) throw new Error(`the trust bundle was refused: ${message}`);
  const options = { trust, product: PRODUCT, licenseKey: read('license-key.txt').trim() };
  const fingerprint = read('fingerprint.txt').trim();
  const license = verifyLicenseFile(read('license.lic'), options);
  expectVerdict('license.lic', license, true);
  const machine = verifyMachineFile(read('machine.lic'), { ...options, fingerprint });
  expectVerdict('machine.lic', machine, true);
  expectVerdict(
    'machine.lic, one byte changed',
    verifyMachineFile(tampered(), { ...options, fingerprint }),
    false,
  );
  const elsewhere = verifyMachineFile(read('machine.lic'), { ...options, fingerprint: 'another-machine' });
  expectVerdict('machine.lic on another machine', elsewhere, false);
}

function tampered(): string {
  const text = read('machine.lic');
  const at = Math.floor(text.length / 2);
  return text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1);
}

function expectVerdict(what: string, verdict: Verdict, valid: boolean): void {
  say(`  ${what}: ${verdict.valid ? 'VALID' : `refused (${verdict.code}: ${verdict.message})`}`);
  if (verdict.valid !== valid) throw new Error(`${what} should ${valid ? '' : 'not '}be valid`);
}

function farewell(appliance: DevAppliance, pid: number | undefined): void {
  const place = relative(process.cwd(), PLACE) || '.';
  say(`
The files are in ${place}:
  license.lic machine.lic        what goes to the customer
  trust-bundle.json              what an application ships with, besides the root fingerprint
  public-key.hex root-public-key.hex   the same keys for verifiers that take them as hexadecimal
  fingerprint.txt                this machine, as the machine file names it
  license-key.txt                SECRET: whoever has it can activate machines and open the files
  appliance/                     SECRET: the whole appliance with its private keys

Check a file yourself, with nothing running:
  ./scripts/mintmark verify ${place}/machine.lic --product ${PRODUCT} --public-key $(cat ${place}/public-key.hex) \\
    --license-key-file ${place}/license-key.txt --fingerprint-file ${place}/fingerprint.txt`);
  if (pid !== undefined) {
    say(`
The appliance goes on running at ${appliance.url} (process ${String(pid)}). Try:
  ./scripts/mintmark --data-dir ${place}/appliance/data license list
  ./scripts/mintmark --data-dir ${place}/appliance/data status
  kill ${String(pid)}      stops it`);
  }
  say(`
This is a development appliance: its files say so, and release builds refuse them. Nothing of it may go to production.
Remove all of it with:  rm -rf ${place}`);
}

/** A kept appliance from an earlier run still owns the directory that this run would remove. */
function refuseWhileRunning(): void {
  if (!existsSync(PID_FILE)) return;
  const pid = Number(readFileSync(PID_FILE, 'utf8'));
  try {
    process.kill(pid, 0);
  } catch {
    return;
  }
  say(`The appliance of an earlier run is still running. End it first:  kill ${String(pid)}`);
  process.exit(1);
}

async function main(): Promise<void> {
  refuseWhileRunning();
  const stays = OPTIONS.keep;
  rmSync(PLACE, { recursive: true, force: true });
  mkdirSync(PLACE, { recursive: true, mode: 0o700 });
  chmodSync(PLACE, 0o700);
  say('1. A fresh development appliance, keys in the embedded file custodian:');
  const { process: child, appliance } = await startAppliance();
  try {
    say(`  listening on ${appliance.url}`);
    say('2. Over HTTP:');
    await issue(appliance);
  } catch (error) {
    await stopAppliance(child);
    throw error;
  }
  if (!stays) {
    await stopAppliance(child);
    say('3. The appliance is stopped. Offline, with the verify library alone:');
  } else {
    writeFileSync(PID_FILE, String(child.pid));
    child.stdout?.destroy();
    child.unref();
    say('3. Offline, with the verify library alone:');
  }
  verifyOffline();
  farewell(appliance, stays ? child.pid : undefined);
}

/** What failed, in words; a place that cannot be written is the commonest of all. */
function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (!UNWRITABLE.has(code)) return error instanceof Error ? error.message : String(error);
  return (
    `${PLACE} cannot be written to (${code}).\n` +
    'Everything it makes goes there: run it as the owner of this source tree, or in a copy of your own.'
  );
}

const UNWRITABLE = new Set(['EACCES', 'EPERM', 'EROFS', 'ENOSPC']);

try {
  await main();
} catch (error) {
  process.stderr.write(`quickstart failed: ${reasonOf(error)}\n`);
  process.exitCode = 1;
}
