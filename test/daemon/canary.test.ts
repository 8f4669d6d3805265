import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type InitialisedAppliance,
  initAppliance,
  type ServedAppliance,
  serveAppliance,
} from '../support/appliance-process.ts';
import { type Answered, dataOf, send, temporaryDirectory } from '../support/daemon.ts';
import { sendAsOperator } from '../support/operator-socket.ts';
import { type Stock, stockUp } from '../support/stock.ts';

/** Planted through the API; each of them is a secret, a person, or a device. */
const PLANTED = {
  'e-mail of a licence': 'planted.person@canary.example',
  'name of a person': 'Planted Person-Canary',
  'name of a licence': 'Planted License Canary',
  'metadata of a licence': 'planted-metadata-canary',
  fingerprint: 'planted-fingerprint-canary-0001',
  'fingerprint of somebody unknown': 'planted-fingerprint-canary-0002',
  component: 'planted-component-canary-board',
  hostname: 'planted-hostname-canary',
  'name of a machine': 'Planted Machine Canary',
  'e-mail of a machine': 'planted.machine@canary.example',
  reason: 'planted reason canary',
  'imported licence key': 'PLANTED-CANARY-KEY2-3456-789A',
  'unknown licence key': 'PLANTED-CANARY-KEY2-3456-WXYZ',
  'unknown API key': 'sk_live_plantedcanary0000000000000000000000000',
} as const;

/** Not a secret: it must be found, or the search is blind. */
const PUBLIC = 'Planted product, for all to see';

const directory = temporaryDirectory();
const at = (name: string): string => join(directory.path, name);
let appliance: InitialisedAppliance;
let daemon: ServedAppliance;
const secrets = new Map<string, string>(Object.entries(PLANTED));

beforeAll(async () => {
  appliance = await initAppliance(directory.path);
  secrets.set('first API key', appliance.secretKey).set('recovery code', appliance.recoveryCode);
  daemon = await serveAppliance(appliance, ['log.level=debug']);
  const target = { url: daemon.url, key: appliance.secretKey };
  const stock = await stockUp(target, 'canary', { floating: true });
  await dataOf(stock.post('/products', { name: PUBLIC, code: 'public', description: PUBLIC }));
  await plantLicense(stock);
  await plantKeys(target);
  await plantRefused(target);
  for (const name of ['whole', 'realm']) {
    mkdirSync(at(name));
    const body = { directory: at(name), realmOnly: name === 'realm' };
    await dataOf(sendAsOperator(appliance.data, { method: 'POST', path: '/system/audit-exports', body }));
  }
});

afterAll(() => {
  directory[Symbol.dispose]();
});

/** Through every state that a licence can be brought into, so that every kind of entry and event is written. */
async function plantLicense(stock: Stock): Promise<void> {
  const personal = {
    name: PLANTED['name of a licence'],
    userEmail: PLANTED['e-mail of a licence'],
    userName: PLANTED['name of a person'],
    metadata: { note: PLANTED['metadata of a licence'] },
  };
  const license = await stock.license(personal);
  secrets.set('generated licence key', license.key);
  await dataOf(stock.post('/licenses', { ...stockIds(stock), key: PLANTED['imported licence key'] }));
  const machine = await dataOf(
    stock.post(`/licenses/${license.id}/machines`, {
      fingerprint: PLANTED.fingerprint,
      components: { board: PLANTED.component },
      hostname: PLANTED.hostname,
      name: PLANTED['name of a machine'],
      userEmail: PLANTED['e-mail of a machine'],
      metadata: { note: PLANTED['metadata of a licence'] },
    }),
  );
  const id = String(machine['id']);
  const headers = { 'idempotency-key': 'planted' };
  const reason = { reason: PLANTED.reason };
  const answers: Answered[] = [
    await stock.post('/licenses', { ...stockIds(stock), ...personal }, headers),
    await stock.post('/licenses/validate-key', { key: license.key, fingerprint: PLANTED.fingerprint }),
    await stock.post(`/licenses/${license.id}/checkout`, { fingerprint: PLANTED.fingerprint }, headers),
    await stock.post(`/machines/${id}/heartbeat`),
    await stock.post(`/licenses/${license.id}/suspend`, reason),
    await stock.post(`/licenses/${license.id}/reinstate`, reason),
    await stock.post(`/licenses/${license.id}/reveal`, {}),
    await stock.post('/licenses/lookup', { key: license.key }),
    await stock.get(`/licenses?userEmail=${encodeURIComponent(PLANTED['e-mail of a licence'])}`),
    await stock.get(`/machines?fingerprint=${PLANTED.fingerprint}`),
    await stock.post(`/licenses/${license.id}/revoke`, reason),
  ];
  expect(answers.map(({ status }) => status).filter((status) => status > 201)).toEqual([]);
  expect(answers[6]?.body['data']).toMatchObject({ key: license.key, userEmail: personal.userEmail });
}

const stockIds = ({ productId, policyId }: Stock): Record<string, string> => ({ productId, policyId });

async function plantKeys(target: { url: string; key: string }): Promise<void> {
  const headers = { 'idempotency-key': 'planted' };
  const body = { name: 'Planted', scopes: ['licenses:read'] };
  const made = await dataOf(send(target, { method: 'POST', path: '/api-keys', body, headers }));
  const path = `/api-keys/${String(made['id'])}/rotate`;
  const rotated = await dataOf(send(target, { method: 'POST', path, body: {}, headers }));
  secrets.set('API key', String(made['key'])).set('rotated API key', String(rotated['key']));
  for (const key of [String(made['key']), String(rotated['key'])])
    expect((await send({ ...target, key }, { method: 'GET', path: '/licenses' })).status).toBe(200);
}

/** What is refused is counted, and what was shown with it is forgotten. */
async function plantRefused({ url }: { url: string }): Promise<void> {
  const body = {
    key: PLANTED['unknown licence key'],
    fingerprint: PLANTED['fingerprint of somebody unknown'],
  };
  const statuses = [
    await send({ url }, { method: 'POST', path: '/licenses/validate-key', body }),
    await send({ url, key: PLANTED['unknown API key'] }, { method: 'GET', path: '/licenses' }),
    await send(
      { url },
      { method: 'POST', path: '/licenses', body: { userEmail: PLANTED['e-mail of a licence'] } },
    ),
    await send({ url }, { method: 'GET', path: `/licenses/${PLANTED['unknown licence key']}` }),
    await send({ url }, { method: 'POST', path: '/machines', body }),
  ].map(({ status }) => status);
  expect(statuses[0]).toBe(200);
  expect(statuses.slice(1).every((status) => status >= 400 && status < 500)).toBe(true);
}

describe('what was planted through the API', () => {
  it('is in no file of the running appliance, of its exports, or after a kill and after an orderly stop', async () => {
    const log = statSync(join(appliance.data, 'mintmark.db-wal')).size;
    expect(log).toBeGreaterThan(100_000);
    expectClean([appliance.data, at('whole'), at('realm')]);
    const exited = new Promise((resolve) => daemon.child.once('exit', resolve));
    daemon.child.kill('SIGKILL');
    await exited;
    expectClean([appliance.data]);
    const printed = daemon.stdout() + daemon.stderr();
    daemon = await serveAppliance(appliance);
    expect(await daemon.stop()).toBe(0);
    expectClean([appliance.data]);
    expect(found(Buffer.from(printed + daemon.stdout() + daemon.stderr()))).toEqual([]);
    expect(printed).toContain('/licenses/{id}/reveal');
  });
});

/** Looks into every file below, byte by byte. */
function expectClean(directories: readonly string[]): void {
  let publicSeen = 0;
  for (const path of directories.flatMap(filesBelow)) {
    const bytes = readFileSync(path);
    expect(found(bytes), path).toEqual([]);
    if (bytes.includes(PUBLIC)) publicSeen++;
  }
  expect(publicSeen).toBeGreaterThan(0);
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

/** The names of what stands in these bytes: as it is, without its hyphens, in hexadecimal, or in base64. */
function found(bytes: Buffer): string[] {
  return [...secrets]
    .filter(([, secret]) => formsOf(secret).some((form) => bytes.includes(form)))
    .map(([name]) => name);
}

function formsOf(secret: string): (string | Buffer)[] {
  const bytes = Buffer.from(secret, 'utf8');
  const random = secret.includes('_') ? [secret.slice(secret.lastIndexOf('_') + 1)] : [];
  return [
    ...[bytes, secret.replaceAll('-', ''), bytes.toString('hex'), bytes.toString('hex').toUpperCase()],
    // Without the last letters, which depend on what follows.
    bytes.toString('base64').slice(0, -4),
    Buffer.from(secret, 'utf16le'),
    ...random,
  ];
}
